"""Make the declared sizes, formats and watermarks of each picture on arrival."""
