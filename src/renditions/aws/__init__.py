"""The code for AWS: S3, DynamoDB, SNS, EventBridge and SQS.

No other package imports botocore.
"""
