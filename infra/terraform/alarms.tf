# Alarms to a topic of their own, and a dashboard.

locals {
  alarms = merge(
    {
      dead-letters = {
        description = "The dead-letter queue has messages; see renditions dlq list"
        namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", threshold = 0
        dimensions  = { QueueName = aws_sqs_queue.this["dead"].name }
      }
      errors = {
        description = "A call of the function failed"
        namespace   = "AWS/Lambda", metric = "Errors", statistic = "Sum", threshold = 0
        dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      }
      throttles = {
        description = "Lambda throttled the function"
        namespace   = "AWS/Lambda", metric = "Throttles", statistic = "Sum", threshold = 0
        dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      }
      recursion = {
        description = "Lambda dropped a call of a long chain, such as a tick's next call; see renditions dlq list"
        namespace   = "AWS/Lambda", metric = "RecursiveInvocationsDropped", statistic = "Sum", threshold = 0
        dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      }
      undelivered = {
        description = "A failed call, such as a tick, is lost: Lambda couldn't put it into the dead-letter queue"
        namespace   = "AWS/Lambda", metric = "DestinationDeliveryFailures", statistic = "Sum", threshold = 0
        dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      }
      superseded = {
        description = "Another version of the pipeline is in force, and the function processes nothing"
        namespace   = "Renditions", metric = "Superseded", statistic = "Sum", threshold = 0
        dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      }
    },
    local.invalidates ? {
      invalidations = {
        description = "CloudFront didn't accept an invalidation, and may serve former renditions"
        namespace   = "Renditions", metric = "InvalidationsFailed", statistic = "Sum", threshold = 0
        dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      }
    } : {},
    local.has_queue ? {
      age = {
        description = "A message has waited in the queue for more than an hour"
        namespace   = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum", threshold = 3600
        dimensions  = { QueueName = aws_sqs_queue.this["queue"].name }
      }
    } : {},
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "Renditions/${local.name}/${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = var.tags
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "Renditions-${local.name}"
  dashboard_body = jsonencode({
    widgets = [for number, alarm in values(local.alarms) : {
      type   = "metric"
      x      = number % 2 * 12
      y      = floor(number / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = alarm.description
        region  = local.region
        stat    = alarm.statistic
        period  = 300
        metrics = [concat([alarm.namespace, alarm.metric], flatten([for name, value in alarm.dimensions : [name, value]]))]
      }
    }]
  })
}
