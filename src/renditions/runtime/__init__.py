"""The composition root: opens the parts that a pipeline names, for a laptop and for Lambda alike."""
