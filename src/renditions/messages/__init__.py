"""Messages about pictures: every shape of them, what they ask for, and a worker that does it."""
