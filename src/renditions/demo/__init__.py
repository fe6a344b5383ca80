"""The content of ``renditions demo``: drawn pictures and a pipeline file."""
