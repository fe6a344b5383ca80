"""The core: it compares each picture with the declared state, and does the work that is needed."""
