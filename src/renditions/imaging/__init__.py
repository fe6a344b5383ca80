"""Imaging: one picture's bytes become its renditions. It knows nothing about storage."""
