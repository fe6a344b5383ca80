output "input_bucket" {
  description = "Where to upload pictures to."
  value       = local.input_bucket
}

output "upload_to" {
  description = "The same as a URL, with the prefix."
  value       = "s3://${local.input_bucket}/${var.input.prefix}"
}

output "output_bucket" {
  description = "Where the renditions are."
  value       = local.output_bucket
}

output "table" {
  description = "The table of the records."
  value       = aws_dynamodb_table.this.name
}

output "topic_arn" {
  description = "The topic of the notices."
  value       = aws_sns_topic.this.arn
}

output "function_name" {
  description = "The function."
  value       = aws_lambda_function.this.function_name
}

output "queue_url" {
  description = "The queue of uploads; null without one."
  value       = one([for key, queue in aws_sqs_queue.this : queue.url if key == "queue"])
}

output "dead_letter_queue_url" {
  description = "The dead-letter queue: messages that failed every time."
  value       = aws_sqs_queue.this["dead"].url
}

output "api_url" {
  description = "The URL of the API; null without one."
  value       = one(aws_apigatewayv2_stage.this[*].invoke_url)
}

output "api_policy" {
  description = "What the API's function may do; empty without one."
  value       = local.api_statements
}

output "policy" {
  description = "What the function may do: actions and resources by purpose."
  value       = local.statements
}

output "environment" {
  description = "The function's environment, for `renditions worker --from-terraform`: where pictures are, where renditions, records and notices go, and the queue."
  value       = aws_lambda_function.this.environment[0].variables
}
