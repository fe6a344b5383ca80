"""The composition root: opens the parts that a pipeline names, on a laptop and on Lambda."""
