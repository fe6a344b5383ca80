"""The code on AWS Lambda: entry points, their parts and their log lines."""
