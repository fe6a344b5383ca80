output "input_bucket" {
  description = "The name of the bucket for uploads."
  value       = local.input_bucket
}

output "upload_to" {
  description = "The S3 URL for uploads, with the prefix."
  value       = "s3://${local.input_bucket}/${var.input.prefix}"
}

output "output_bucket" {
  description = "The name of the bucket of renditions."
  value       = local.output_bucket
}

output "table" {
  description = "The name of the table of records."
  value       = aws_dynamodb_table.this.name
}

output "topic_arn" {
  description = "The ARN of the topic of notices."
  value       = aws_sns_topic.this.arn
}

output "alarm_topic_arn" {
  description = "The ARN of the topic of alarms."
  value       = aws_sns_topic.alarms.arn
}

output "function_name" {
  description = "The name of the function."
  value       = aws_lambda_function.this.function_name
}

output "queue_url" {
  description = "The URL of the queue with messages about pictures; null without one."
  value       = one([for key, queue in aws_sqs_queue.this : queue.url if key == "queue"])
}

output "dead_letter_queue_url" {
  description = "The URL of the dead-letter queue, which gets the messages and calls that failed every time, and undelivered events."
  value       = aws_sqs_queue.this["dead"].url
}

output "api_url" {
  description = "The URL of the API; null without an API."
  value       = one(aws_apigatewayv2_stage.this[*].invoke_url)
}

output "api_policy" {
  description = "What the API's function may do: actions, resources and conditions by purpose; empty without an API."
  value       = local.api_function_statements
}

output "policy" {
  description = "What the function may do: actions, resources and conditions by purpose."
  value       = local.function_statements
}

output "function_arn" {
  description = "The ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "function_role_name" {
  description = "The name of the function's role, to attach more policies to."
  value       = aws_iam_role.this.name
}

output "function_role_arn" {
  description = "The ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "api_function_arn" {
  description = "The ARN of the API's function; null without an API."
  value       = one(aws_lambda_function.api[*].arn)
}

output "api_role_name" {
  description = "The name of the role of the API's function; null without an API."
  value       = one(aws_iam_role.api[*].name)
}

output "api_role_arn" {
  description = "The ARN of the role of the API's function; null without an API."
  value       = one(aws_iam_role.api[*].arn)
}

output "input_bucket_arn" {
  description = "The ARN of the bucket of pictures."
  value       = local.input_arn
}

output "output_bucket_arn" {
  description = "The ARN of the bucket of renditions."
  value       = local.output_arn
}

output "table_arn" {
  description = "The ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "queue_arn" {
  description = "The ARN of the queue with messages about pictures; null without one."
  value       = one([for key, queue in aws_sqs_queue.this : queue.arn if key == "queue"])
}

output "dead_letter_queue_arn" {
  description = "The ARN of the dead-letter queue."
  value       = aws_sqs_queue.this["dead"].arn
}

output "log_group_arn" {
  description = "The ARN of the function's log group."
  value       = aws_cloudwatch_log_group.this.arn
}

output "key_policies" {
  description = "The statements that the policy of each KMS key needs for AWS's own services, by the ARN of the key."
  value       = local.key_policies
}

output "bucket_policies" {
  description = "The statements that the policy of each existing bucket should have, by `input`, `output` and `code`. The module adds them to the buckets that it creates."
  value       = { for key, statements in local.bucket_statements : key => statements if local.places[key].bucket != null }
}

output "environment" {
  description = "The function's environment variables, for `renditions worker --from-terraform`: among them the places of pictures, renditions, records and notices, and the queue."
  value       = aws_lambda_function.this.environment[0].variables
}

output "serving_url" {
  description = "The URL below which CloudFront serves the keys of the renditions; null without CloudFront."
  value       = local.serving_url
}

output "distribution_id" {
  description = "The ID of the CloudFront distribution; null without one."
  value       = one(aws_cloudfront_distribution.this[*].id)
}

output "signing_key_ids" {
  description = "CloudFront's ID of each public key, for signed URLs and cookies."
  value       = { for name, key in aws_cloudfront_public_key.this : name => key.id }
}
