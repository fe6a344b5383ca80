"""What is found out about a picture, and kept in its record."""
