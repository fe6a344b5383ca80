"""What ``renditions demo`` starts with: drawn pictures and a pipeline file."""
