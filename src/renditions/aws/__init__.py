"""The ports on AWS: S3, DynamoDB, SNS, EventBridge and SQS. botocore is known nowhere else."""
