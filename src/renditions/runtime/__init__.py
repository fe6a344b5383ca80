"""Opens the stores, the catalog and the notice targets that a pipeline names, and runs the pipeline."""
