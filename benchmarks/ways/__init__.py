"""The ways to make a picture's renditions: each module is one, run as a worker process of its own."""
