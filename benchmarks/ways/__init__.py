"""The ways to make a picture's renditions. Each module runs as a worker process."""
