"""The entry on a terminal: data on stdout, messages on stderr."""
