"""One module for each kind of target that notices are sent to."""
