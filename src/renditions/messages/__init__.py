"""Messages about pictures: how to decode them, what they ask for, and a worker that processes them."""
