"""What runs on AWS Lambda: the functions' entries, their parts and their log lines."""
