"""Messages about pictures: their decoding, and a worker that processes them."""
