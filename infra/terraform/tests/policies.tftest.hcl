# The runs whose policies the tests in Python hold to the recorded calls: terraform test -json -verbose

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:renditions" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:renditions" }
  }

  override_resource {
    target = aws_sqs_queue.this["dead"]
    values = { arn = "arn:aws:sqs:eu-west-1:123456789012:renditions-dead" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:renditions" }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = { id = "E1", arn = "arn:aws:cloudfront::123456789012:distribution/E1" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/renditions" }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/renditions" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/renditions" }
  }

  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:pictures"
      api_endpoint  = "https://pictures.execute-api.eu-west-1.amazonaws.com"
    }
  }

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:123456789012:rule/uploads" }
  }
}

variables {
  bundle = "tests/empty.zip"
}

run "uploads_go_through_a_queue_by_default" {
  assert {
    condition     = length(aws_s3_bucket_notification.this[0].queue) == 1 && !aws_s3_bucket_notification.this[0].eventbridge
    error_message = "S3 should notify the queue."
  }

  assert {
    condition     = aws_s3_bucket_notification.this[0].queue[0].filter_suffix == null || aws_s3_bucket_notification.this[0].queue[0].filter_suffix == ""
    error_message = "A filter by suffix forgets .jpeg or .JPG."
  }

  assert {
    condition     = contains(aws_lambda_event_source_mapping.this[0].function_response_types, "ReportBatchItemFailures")
    error_message = "One bad picture would hold up its whole batch."
  }

  assert {
    condition     = aws_sqs_queue.this["queue"].visibility_timeout_seconds >= 6 * aws_lambda_function.this.timeout
    error_message = "A message would be delivered twice while it is being processed."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.QUEUE_URL == aws_sqs_queue.this["queue"].url && contains(output.policy.Queue.actions, "sqs:SendMessage")
    error_message = "A reconcile should be able to send what differs to the queue."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["superseded"].namespace == "Renditions"
    error_message = "A function that another deployment superseded should raise an alarm."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this[0].scaling_config) == 0
    error_message = "Without a limit there should be none."
  }

  assert {
    condition     = aws_lambda_function_recursion_config.this[0].recursive_loop == "Allow"
    error_message = "A tick should be able to go on in any number of calls."
  }

  assert {
    condition     = [for statement in jsondecode(aws_sqs_queue_policy.dead.policy).Statement : statement.Sid] == ["TlsOnly"]
    error_message = "Only EventBridge needs a permission for the dead-letter queue."
  }

  assert {
    condition     = length(aws_s3_bucket.this) == 3 && alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "Terraform should create three buckets and never delete their pictures."
  }

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "image_name"
    error_message = "The table's key is not the one that the function writes."
  }
}

run "uploads_can_go_through_eventbridge" {
  variables {
    trigger = "eventbridge"
    input   = { prefix = "uploads/" }
  }

  assert {
    condition     = aws_s3_bucket_notification.this[0].eventbridge && length(aws_s3_bucket_notification.this[0].queue) == 0
    error_message = "S3 should notify EventBridge alone."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern).detail.object.key[0].prefix == "uploads/"
    error_message = "The rule should be about the prefix."
  }

  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
  assert {
    condition = jsondecode(aws_sqs_queue_policy.dead.policy).Statement[0] == {
      Sid       = "UndeliveredUploads"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.this["dead"].arn
      Condition = {
        ArnEquals    = { "aws:SourceArn" = aws_cloudwatch_event_rule.uploads[0].arn }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }
    error_message = "EventBridge should be able to put undelivered events into the dead-letter queue."
  }
}

run "uploads_can_go_straight_to_the_function" {
  variables {
    trigger = "direct"
    notices = { eventbridge = true, mail_senders = ["pictures@example.org"] }
  }

  assert {
    condition     = length(aws_s3_bucket_notification.this[0].lambda_function) == 1 && length(aws_lambda_permission.uploads) == 1
    error_message = "S3 should notify the function, and be allowed to."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.QUEUE_URL == ""
    error_message = "There is no queue to send to."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this) == 0 && length(aws_lambda_function_recursion_config.this) == 0
    error_message = "There is no queue, and no chain of calls."
  }
}

run "an_api_without_jwt_needs_signatures_of_iam" {
  variables {
    api     = { bundle = "tests/empty.zip" }
    notices = { mail_senders = ["pictures@example.org"] }
  }

  assert {
    condition     = aws_apigatewayv2_route.this[0].authorization_type == "AWS_IAM"
    error_message = "An API should be open for nothing but its health check."
  }

  assert {
    condition     = length(aws_apigatewayv2_route.page) == 0 && length(aws_s3_bucket_cors_configuration.page) == 0
    error_message = "No browser can sign with IAM, so no page is for it."
  }

  assert {
    condition     = aws_apigatewayv2_route.health[0].route_key == "GET /health" && aws_apigatewayv2_route.health[0].authorization_type == "NONE"
    error_message = "A monitor can't sign with IAM either, so the health check needs no signature."
  }

  assert {
    condition     = output.api_policy.Hints.actions[0] == "sqs:SendMessage" && !contains(keys(output.api_policy), "Queue")
    error_message = "The API's function sends hints, and takes none."
  }

  assert {
    condition     = aws_lambda_function.api[0].environment[0].variables == aws_lambda_function.this.environment[0].variables
    error_message = "Both functions have the same environment."
  }
}

run "a_governed_account_s_keys_network_and_secrets_get_their_permissions" {
  variables {
    api     = { bundle = "tests/empty.zip" }
    serving = { invalidate = true }
    tracing = true
    network = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }

    kms_keys = {
      input   = "arn:aws:kms:eu-west-1:123456789012:key/input"
      output  = "arn:aws:kms:eu-west-1:123456789012:key/output"
      queues  = "arn:aws:kms:eu-west-1:123456789012:key/queues"
      topics  = "arn:aws:kms:eu-west-1:123456789012:key/topics"
      table   = "arn:aws:kms:eu-west-1:123456789012:key/table"
      logs    = "arn:aws:kms:eu-west-1:123456789012:key/logs"
      secrets = "arn:aws:kms:eu-west-1:123456789012:key/secrets"
    }

    secrets = {
      WEBHOOK_KEY = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf"
      API_TOKEN   = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/token"
    }
  }

  assert {
    condition = jsonencode({
      for key, statements in output.key_policies : reverse(split("/", key))[0] =>
      [for statement in statements : [statement.Principal.Service, statement.Action, try(statement.Condition, null)]]
      }) == jsonencode({
      queues = [["s3.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"], null]]
      topics = [["cloudwatch.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"], null]]
      logs = [[
        "logs.eu-west-1.amazonaws.com",
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/renditions*" } },
      ]]
      output = [["cloudfront.amazonaws.com", ["kms:Decrypt"], { StringEquals = { "aws:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/E1" } }]]
    })
    error_message = "AWS's own services should get exactly what they need of each key."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if statement.Effect == "Deny"]).Condition.ArnEquals["lambda:SourceFunctionArn"] == "arn:aws:lambda:eu-west-1:123456789012:function:renditions"
    error_message = "The function's code should not manage network interfaces."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.api[0].policy).Statement : statement if statement.Effect == "Deny"]).Condition.ArnEquals["lambda:SourceFunctionArn"] == "arn:aws:lambda:eu-west-1:123456789012:function:renditions-api"
    error_message = "The code of the API's function should not manage network interfaces."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.API_TOKEN == var.secrets.API_TOKEN
    error_message = "The function should get the ARN of a secret, not its value."
  }

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.schedule[0].policy).Statement : statement if statement.Resource == var.kms_keys.queues]) == 1
    error_message = "The schedule should be able to send to the encrypted dead-letter queue."
  }
}
