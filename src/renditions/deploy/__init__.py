"""What brings a pipeline to AWS."""
