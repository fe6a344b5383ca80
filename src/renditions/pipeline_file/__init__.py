"""Read, check and describe pipeline files, and convert pipelines to plain data."""
