# The function, with its role and its log.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  # The region comes from the log group, which `renditions destroy` keeps: what is kept may depend only on what is kept.
  region = split(":", aws_cloudwatch_log_group.this.arn)[3]

  event_buses = [
    for bus in setunion(var.notices.event_buses, var.notices.eventbridge ? ["default"] : []) :
    startswith(bus, "arn:") ? bus : "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${bus}"
  ]

  # SES checks the permission for the address's own identity if there is one, or else for its domain's. The identity of
  # a domain would allow all its addresses, so a condition names the sender.
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
  mail_identities = [
    for name in setunion(var.notices.mail_senders, [for sender in var.notices.mail_senders : split("@", sender)[1]]) :
    "arn:${local.partition}:ses:${local.region}:${local.account}:identity/${name}"
  ]

  # The statements of the role's policy, by purpose.
  statements = merge(
    {
      ReadPictures = {
        actions   = ["s3:GetObject"]
        resources = ["${local.input_arn}/${var.input.prefix}*"]
      }
      # Without this statement, S3 answers 403, not 404, for a picture that is gone. Listing needs it too.
      ListPictures = {
        actions   = ["s3:ListBucket"]
        resources = [local.input_arn]
      }
      WriteOutputs = {
        actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        resources = ["${local.output_arn}/${var.output.prefix}*"]
      }
      ListOutputs = {
        actions   = ["s3:ListBucket"]
        resources = [local.output_arn]
      }
      Records = {
        actions = [
          "dynamodb:GetItem",
          "dynamodb:BatchGetItem",
          "dynamodb:PutItem",
          "dynamodb:DeleteItem",
        ]
        resources = [aws_dynamodb_table.this.arn]
      }
      ListRecords = {
        actions   = ["dynamodb:Query"]
        resources = [for index in ["by-name", "by-status", "by-content"] : "${aws_dynamodb_table.this.arn}/index/${index}"]
      }
      Notices = {
        actions   = ["sns:Publish"]
        resources = [aws_sns_topic.this.arn]
      }
      Log = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
      }
      # Lambda uses the function's role to send the calls that failed every time.
      DeadLetters = {
        actions   = ["sqs:SendMessage"]
        resources = [aws_sqs_queue.this["dead"].arn]
      }
    },
    local.has_queue ? {
      Queue = {
        actions = [
          "sqs:ReceiveMessage",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
          "sqs:GetQueueAttributes",
          "sqs:SendMessage",
        ]
        resources = [aws_sqs_queue.this["queue"].arn]
      }
    } : {},
    length(local.event_buses) == 0 ? {} : {
      NoticeEvents = {
        actions   = ["events:PutEvents"]
        resources = local.event_buses
      }
    },
    length(local.mail_identities) == 0 ? {} : {
      NoticeMails = {
        actions    = ["ses:SendEmail"]
        resources  = local.mail_identities
        conditions = { StringEquals = { "ses:FromAddress" = sort(var.notices.mail_senders) } }
      }
    },
  )
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts it already; kms_keys names a key of your own
  #checkov:skip=CKV_AWS_338:log_retention_days says how long

  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_keys.logs
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name_prefix          = "${local.short_name}-"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name_prefix = "${local.short_name}-"
  role        = aws_iam_role.this.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.allowed_statements.function, local.denied_statements[local.name])
  })
}

# When this bundle was first applied. It stays as long as the bundle is the same, so a second apply changes
# nothing. A former bundle that is applied again has a new time: a rollback is the newest deployment.
resource "terraform_data" "deployed" {
  input            = plantimestamp()
  triggers_replace = filebase64sha256(var.bundle)

  lifecycle {
    ignore_changes = [input]
  }
}

# The environment variables of the functions.
locals {
  environment = {
    SOURCE_BUCKET = local.input_bucket
    SOURCE_PREFIX = var.input.prefix
    OUTPUT_BUCKET = local.output_bucket
    OUTPUT_PREFIX = var.output.prefix
    TABLE_NAME    = aws_dynamodb_table.this.name
    TABLE_KEY     = aws_dynamodb_table.this.hash_key
    SNS_TOPIC_ARN = aws_sns_topic.this.arn
    DEPLOYED_AT   = terraform_data.deployed.output
    QUEUE_URL     = local.has_queue ? aws_sqs_queue.this["queue"].url : ""
    # Where all clients may read the outputs, for the API's redirects.
    SERVING_URL = local.is_private ? "" : try(coalesce(local.serving_url), "")
    # Where the page finds its files; empty for the page's own URL.
    PAGE_FILES_URL = local.has_page ? try(coalesce(local.serving_url), "") : ""
    # The distribution whose copies of changed outputs the functions invalidate.
    DISTRIBUTION_ID = local.invalidates ? aws_cloudfront_distribution.this[0].id : ""
  }
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:the queue has a dead-letter queue, and without a queue the failure destination takes its place
  #checkov:skip=CKV_AWS_117:it talks to AWS' public endpoints alone; network puts it into a network of your own
  #checkov:skip=CKV_AWS_272:the module's user builds the bundle; signing needs a profile of theirs
  #checkov:skip=CKV_AWS_173:names of buckets and a table are no secrets, and Lambda encrypts them already
  #checkov:skip=CKV_AWS_50:its log and metrics have each picture; tracing costs per call, and tracing = true turns it on

  function_name = local.name
  description   = "Makes the renditions of each picture in ${local.input_bucket}"
  role          = aws_iam_role.this.arn
  tags          = var.tags

  s3_bucket        = aws_s3_object.bundle["pictures"].bucket
  s3_key           = aws_s3_object.bundle["pictures"].key
  source_code_hash = filebase64sha256(var.bundle)
  handler          = "lambda_function.lambda_handler"
  runtime          = "python${var.function.python}"
  architectures    = [var.function.architecture]

  memory_size                    = var.function.memory_mb
  timeout                        = var.function.timeout_seconds
  reserved_concurrent_executions = coalesce(var.function.reserved_concurrency, -1)

  environment {
    variables = merge(local.environment, var.secrets)
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "vpc_config" {
    for_each = var.network[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  dynamic "tracing_config" {
    for_each = var.tracing ? [1] : []

    content {
      mode = "Active"
    }
  }

  # Before its first call the function must be allowed to log and to write.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = var.input.bucket == null || var.trigger == "eventbridge"
      error_message = "Expected trigger = \"eventbridge\" with an existing input bucket: the module doesn't change its notifications."
    }

    precondition {
      condition     = var.input.bucket == null || var.input.bucket != var.output.bucket || !(startswith(var.input.prefix, var.output.prefix) || startswith(var.output.prefix, var.input.prefix))
      error_message = "Expected two buckets, or two prefixes where neither contains the other: otherwise each rendition would be a new picture."
    }
  }
}
