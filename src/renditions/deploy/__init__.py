"""Deployment of a pipeline to AWS."""
