"""The core: compares pictures with the declared state and does the needed work."""
