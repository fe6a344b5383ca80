# From an upload to the function. No suffix is filtered here: the pipeline file's own patterns decide,
# in any case of letters, and a filter would be one more place to forget `.jpeg` or `.JPG`.

locals {
  has_queue = var.trigger != "direct"

  # How long a message stays hidden: six times the function's time limit, as AWS recommends, and at least as long
  # as the lease of a picture whose call was killed. Otherwise SQS would redeliver the message while the lease still
  # blocks the picture. A lease lasts until its call's time limit and this margin longer.
  lease_margin_seconds = 300
  visibility_seconds   = max(6 * var.function.timeout_seconds, var.function.timeout_seconds + local.lease_margin_seconds)

  # A picture is tried three times before it is given up. The other two deliveries are for calls that were throttled
  # or killed.
  deliveries = 5
}

resource "aws_sqs_queue" "this" {
  for_each = toset(local.has_queue ? ["queue", "dead"] : ["dead"])

  name_prefix                = each.key == "dead" ? "${local.name}-dead-" : "${local.name}-"
  visibility_timeout_seconds = local.visibility_seconds
  message_retention_seconds  = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled    = var.kms_keys.queues == null ? true : null
  kms_master_key_id          = var.kms_keys.queues
  tags                       = var.tags

  lifecycle {
    # A queue of an older version keeps its name and its messages.
    ignore_changes = [name_prefix]
  }
}

resource "aws_sqs_queue_redrive_policy" "this" {
  count = local.has_queue ? 1 : 0

  queue_url = aws_sqs_queue.this["queue"].id
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.this["dead"].arn
    maxReceiveCount     = local.deliveries
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "this" {
  count = local.has_queue ? 1 : 0

  queue_url = aws_sqs_queue.this["dead"].id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this["queue"].arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  count = local.has_queue ? 1 : 0

  queue_url = aws_sqs_queue.this["queue"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Uploads"
        Effect    = "Allow"
        Principal = { Service = var.trigger == "sqs" ? "s3.amazonaws.com" : "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.this["queue"].arn
        Condition = var.trigger == "sqs" ? {
          ArnEquals    = { "aws:SourceArn" = local.input_arn }
          StringEquals = { "aws:SourceAccount" = local.account }
          } : {
          ArnEquals    = { "aws:SourceArn" = aws_cloudwatch_event_rule.uploads[0].arn }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.this["queue"].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# EventBridge needs a permission of its own for the dead-letter queue of its target. SQS moves messages there,
# and functions send with their role.
resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.this["dead"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for rule in aws_cloudwatch_event_rule.uploads : {
        Sid       = "UndeliveredUploads"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.this["dead"].arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = rule.arn }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      }],
      [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.this["dead"].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
    )
  })
}

# One resource owns all notifications of a bucket, so it is only used on the bucket that this module
# creates. On another it would remove the owner's notifications.
resource "aws_s3_bucket_notification" "this" {
  count = var.input.bucket == null ? 1 : 0

  bucket      = local.input_bucket
  eventbridge = var.trigger == "eventbridge"

  dynamic "queue" {
    for_each = var.trigger == "sqs" ? [1] : []

    content {
      id            = "pictures"
      queue_arn     = aws_sqs_queue.this["queue"].arn
      events        = local.upload_events
      filter_prefix = var.input.prefix
    }
  }

  dynamic "lambda_function" {
    for_each = var.trigger == "direct" ? [1] : []

    content {
      id                  = "pictures"
      lambda_function_arn = aws_lambda_function.this.arn
      events              = local.upload_events
      filter_prefix       = var.input.prefix
    }
  }

  # S3 tries the target when the notification is created, which fails if the permission isn't there yet.
  depends_on = [aws_sqs_queue_policy.this, aws_lambda_permission.uploads]
}

locals {
  upload_events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*", "s3:ObjectRestore:Completed"]
}

resource "aws_cloudwatch_event_rule" "uploads" {
  count = var.trigger == "eventbridge" ? 1 : 0

  name_prefix = "${local.short_name}-uploads-"
  description = "Pictures that land in or leave ${local.input_bucket}"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created", "Object Deleted", "Object Restore Completed"]
    detail = merge(
      { bucket = { name = [local.input_bucket] } },
      var.input.prefix == "" ? {} : { object = { key = [{ prefix = var.input.prefix }] } },
    )
  })
}

resource "aws_cloudwatch_event_target" "uploads" {
  count = var.trigger == "eventbridge" ? 1 : 0

  rule = aws_cloudwatch_event_rule.uploads[0].name
  arn  = aws_sqs_queue.this["queue"].arn

  dead_letter_config {
    arn = aws_sqs_queue.this["dead"].arn
  }

  depends_on = [aws_sqs_queue_policy.this, aws_sqs_queue_policy.dead]
}

# Messages that meet a concurrency limit would use up their deliveries without a try. So the event source
# never asks for more calls than there may be.
locals {
  # How many calls the function's limit must leave for others: one for the schedule.
  other_calls = var.reconcile_schedule == null ? 0 : 1

  # AWS takes 2 to 1,000 here; null sets no limit.
  queue_concurrency = try(
    coalesce(var.function.queue_concurrency),
    min(1000, max(2, var.function.reserved_concurrency - local.other_calls)),
    null,
  )
}

resource "aws_lambda_event_source_mapping" "this" {
  count = local.has_queue ? 1 : 0

  event_source_arn        = aws_sqs_queue.this["queue"].arn
  function_name           = aws_lambda_function.this.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  dynamic "scaling_config" {
    for_each = local.queue_concurrency == null ? [] : [local.queue_concurrency]

    content {
      maximum_concurrency = scaling_config.value
    }
  }

  lifecycle {
    precondition {
      condition     = var.function.reserved_concurrency == null ? true : var.function.reserved_concurrency >= local.queue_concurrency + local.other_calls
      error_message = "Expected a reserved_concurrency of at least the queue_concurrency (at least 2), and one more for the schedule. With less, calls would be throttled, and each time all messages of the call use up a delivery."
    }
  }
}

# A tick and the messages of a superseded function continue in further calls, which Lambda would stop after some
# sixteen. A tick's next call always begins at a later name, so its chain ends. The other chain ends when
# a function that is in force takes the messages.
resource "aws_lambda_function_recursion_config" "this" {
  count = local.has_queue && var.function.recursion ? 1 : 0

  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_permission" "uploads" {
  count = var.trigger == "direct" ? 1 : 0

  statement_id   = "Uploads"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = local.input_arn
  source_account = local.account
}

# For calls by S3 or the schedule that still fail after Lambda's own two retries.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name

  destination_config {
    on_failure {
      destination = aws_sqs_queue.this["dead"].arn
    }
  }
}

resource "aws_scheduler_schedule" "reconcile" {
  #checkov:skip=CKV_AWS_297:what it says is no secret

  count = var.reconcile_schedule == null ? 0 : 1

  name                = "${local.name}-reconcile"
  description         = "Checks everything for changes that no event reported"
  schedule_expression = var.reconcile_schedule

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule[0].arn
    input    = jsonencode({ source = "renditions", detail-type = "Reconcile" })

    # For ticks that don't reach the function within a day.
    dead_letter_config {
      arn = aws_sqs_queue.this["dead"].arn
    }
  }
}

resource "aws_iam_role" "schedule" {
  count = var.reconcile_schedule == null ? 0 : 1

  name_prefix          = "${local.short_name}-schedule-"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  count = var.reconcile_schedule == null ? 0 : 1

  name_prefix = "${local.short_name}-schedule-"
  role        = aws_iam_role.schedule[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = aws_lambda_function.this.arn
      },
      {
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.this["dead"].arn
      },
      ], [for key in var.kms_keys.queues[*] : {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = key
    }])
  })
}
