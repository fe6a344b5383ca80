"""The code that runs on AWS Lambda: the functions' entry points, their parts and their log lines."""
