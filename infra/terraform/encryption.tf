# Encryption with keys of your own (KMS). The module creates no key and changes no key's policy.

locals {
  # What the functions do with the keys. The reader of a bucket, a table or a queue decrypts, and the
  # writer to a bucket, a queue or a topic gets a data key. DynamoDB makes a table's data keys itself.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
  # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
  key_statements = {
    for sid, statement in {
      InputKey   = { key = var.kms_keys.input, actions = ["kms:Decrypt"] }
      OutputKey  = { key = var.kms_keys.output, actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      QueueKey   = { key = var.kms_keys.queues, actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      TopicKey   = { key = var.kms_keys.topics, actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      TableKey   = { key = var.kms_keys.table, actions = ["kms:Decrypt"] }
      SecretsKey = { key = var.kms_keys.secrets, actions = ["kms:Decrypt"] }
    } : sid => { actions = statement.actions, resources = [statement.key] } if statement.key != null
  }
  # A client that uploads by a form of POST /uploads uses the permissions of the API's function.
  api_key_statements = merge(
    { for sid, statement in local.key_statements : sid => statement if sid != "InputKey" && (sid != "QueueKey" || local.has_queue) },
    var.kms_keys.input == null ? {} : {
      UploadKey = { actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [var.kms_keys.input] }
    },
  )

  # What the policy of each key must allow to AWS's own services, which have no role here.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
  service_uses = [for use in [
    { key = var.kms_keys.queues, sid = "Uploads", service = local.upload_service, actions = ["kms:Decrypt", "kms:GenerateDataKey"], condition = null },
    { key = var.kms_keys.topics, sid = "Alarms", service = "cloudwatch.amazonaws.com", actions = ["kms:Decrypt", "kms:GenerateDataKey"], condition = null },
    {
      key       = var.kms_keys.logs
      sid       = "Logs"
      service   = "logs.${local.region}.amazonaws.com"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
      condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.name}*" } }
    },
    {
      key       = var.kms_keys.output
      sid       = "Serving"
      service   = var.serving == null ? null : "cloudfront.amazonaws.com"
      actions   = ["kms:Decrypt"]
      condition = { StringEquals = { "aws:SourceArn" = one(aws_cloudfront_distribution.this[*].arn) } }
    },
  ] : use if use.key != null && use.service != null]

  upload_service = { sqs = "s3.amazonaws.com", eventbridge = "events.amazonaws.com", direct = null }[var.trigger]

  key_policies = {
    for key in toset(local.service_uses[*].key) : key => [
      for use in local.service_uses : merge(
        { Sid = use.sid, Effect = "Allow", Principal = { Service = use.service }, Action = use.actions, Resource = "*" },
        use.condition == null ? {} : { Condition = use.condition },
      ) if use.key == key
    ]
  }
}
