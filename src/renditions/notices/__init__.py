"""One module for each kind of notice target."""
