"""The analysis of a picture, kept in its record."""
