"""Make the declared sizes, formats and watermarks of each picture as soon as it arrives."""
