"""The ports on AWS: S3, DynamoDB, SNS, EventBridge and SQS. No other package imports botocore."""
