"""The code for the services of AWS, such as S3 and DynamoDB.

No other package imports botocore.
"""
