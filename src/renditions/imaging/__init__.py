"""Turn one picture's bytes into its renditions.

This package reads and writes no store.
"""
