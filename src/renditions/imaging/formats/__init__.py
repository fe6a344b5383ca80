"""One module for each format that pictures come in or go out in."""
