"""The pipeline file: read, checked, described and written as plain data."""
