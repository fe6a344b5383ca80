"""Opens what a pipeline names, and runs the pipeline.

A pipeline names stores, a catalog and notice targets.
"""
