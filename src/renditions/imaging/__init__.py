"""Pixels, and nothing of storage: one picture's bytes become its renditions."""
