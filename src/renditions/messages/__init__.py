"""Messages about pictures: their shapes, what they ask for, and a worker that processes them."""
