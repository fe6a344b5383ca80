"""The ways to make a picture's renditions.

Each module is one way, and runs as a worker process.
"""
