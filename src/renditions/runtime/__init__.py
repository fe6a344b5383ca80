"""Open the stores, catalog and notice targets of a pipeline, and run it."""
