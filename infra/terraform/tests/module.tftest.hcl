# What the module makes of its inputs, with a provider that makes nothing: terraform test

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

run "by_default_a_queue_stands_between" {
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
    condition     = length(aws_s3_bucket.this) == 2 && alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "Terraform should create two buckets and never delete their pictures."
  }

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "image_name"
    error_message = "The table's key is not the one that the function writes."
  }
}

run "through_eventbridge" {
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

run "straight_to_the_function" {
  variables {
    trigger = "direct"
    notices = { eventbridge = true }
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

run "failed_calls_and_ticks_reach_the_dead_letter_queue" {
  assert {
    condition     = aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == aws_sqs_queue.this["dead"].arn
    error_message = "A call that failed every time would be lost."
  }

  assert {
    condition     = output.policy.DeadLetters.actions[0] == "sqs:SendMessage" && output.policy.DeadLetters.resources[0] == aws_sqs_queue.this["dead"].arn
    error_message = "Lambda uses the function's role to send failed calls."
  }

  assert {
    condition     = aws_scheduler_schedule.reconcile[0].target[0].dead_letter_config[0].arn == aws_sqs_queue.this["dead"].arn
    error_message = "A tick that doesn't reach the function would be lost."
  }

  assert {
    condition     = contains(jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[*].Action, "sqs:SendMessage")
    error_message = "The scheduler needs a permission for its dead-letter queue."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["recursion"].metric_name == "RecursiveInvocationsDropped" && aws_cloudwatch_metric_alarm.this["undelivered"].metric_name == "DestinationDeliveryFailures"
    error_message = "A dropped call should raise an alarm."
  }
}

run "the_queue_s_concurrency_fits_the_function_s" {
  variables {
    function = { reserved_concurrency = 5 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].scaling_config[0].maximum_concurrency == 4
    error_message = "One call should be left for the schedule."
  }
}

run "the_queue_s_concurrency_can_be_lower" {
  variables {
    function = { reserved_concurrency = 50, queue_concurrency = 10 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].scaling_config[0].maximum_concurrency == 10
    error_message = "The declared number counts."
  }
}

run "a_limit_that_would_throttle_the_queue_is_refused" {
  command = plan

  variables {
    function = { reserved_concurrency = 2 }
  }

  expect_failures = [aws_lambda_event_source_mapping.this]
}

run "without_a_schedule_two_calls_are_enough" {
  variables {
    function           = { reserved_concurrency = 2, recursion = false }
    reconcile_schedule = null
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].scaling_config[0].maximum_concurrency == 2
    error_message = "Two is the least that AWS takes."
  }

  assert {
    condition     = length(aws_lambda_function_recursion_config.this) == 0
    error_message = "The detection of loops should stay on if that is declared."
  }
}

run "a_worker_gets_the_function_s_environment" {
  variables {
    input  = { prefix = "uploads/" }
    output = { prefix = "made/" }
    table  = { name = "Others", key = "image_id" }
  }

  assert {
    condition     = output.environment == aws_lambda_function.this.environment[0].variables
    error_message = "A worker would write to another place."
  }

  assert {
    condition     = output.environment.SOURCE_PREFIX == "uploads/" && output.environment.OUTPUT_PREFIX == "made/" && output.environment.TABLE_KEY == "image_id"
    error_message = "Prefixes and key are missing."
  }
}

run "an_existing_bucket_keeps_its_notifications" {
  variables {
    trigger = "eventbridge"
    input   = { bucket = "photos-of-others" }
  }

  assert {
    condition     = length(aws_s3_bucket_notification.this) == 0 && !contains(keys(aws_s3_bucket.this), "input")
    error_message = "Nothing of an existing bucket may be changed."
  }
}

run "an_existing_bucket_needs_eventbridge" {
  command = plan

  variables {
    input = { bucket = "photos-of-others" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "one_bucket_for_both_is_refused" {
  command = plan

  variables {
    trigger = "eventbridge"
    input   = { bucket = "photos-of-others" }
    output  = { bucket = "photos-of-others" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "bad_values_are_refused" {
  command = plan

  variables {
    name               = "No Such Name"
    bundle             = "bundle.tar"
    trigger            = "cron"
    log_retention_days = 8
    reconcile_schedule = "daily"
    input              = { prefix = "uploads" }
    output             = { prefix = "processed" }
    table              = { key = "image name" }
    notices            = { emails = ["me"], phones = ["0170"] }
    function           = { architecture = "arm", timeout_seconds = 5, memory_mb = 64, queue_concurrency = 1 }
  }

  expect_failures = [
    var.name, var.bundle, var.trigger, var.log_retention_days, var.reconcile_schedule,
    var.input, var.output, var.table, var.notices, var.function,
  ]
}

run "without_an_api_there_is_none" {
  assert {
    condition     = length(aws_apigatewayv2_api.this) == 0 && length(aws_lambda_function.api) == 0 && output.api_url == null
    error_message = "An API wasn't asked for."
  }
}

run "an_api_is_for_those_who_sign_with_iam" {
  variables {
    api = { bundle = "tests/empty.zip" }
  }

  assert {
    condition     = aws_apigatewayv2_route.this[0].authorization_type == "AWS_IAM"
    error_message = "An API should never be open."
  }

  assert {
    condition     = length(aws_apigatewayv2_route.page) == 0 && length(aws_s3_bucket_cors_configuration.page) == 0
    error_message = "No browser can sign with IAM, so no page is for it."
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

run "an_api_is_for_those_who_have_a_token" {
  variables {
    trigger = "direct"
    api = {
      bundle = "tests/empty.zip"
      jwt    = { issuer = "https://issuer.example", audiences = ["pictures"] }
    }
  }

  assert {
    condition     = aws_apigatewayv2_route.this[0].authorization_type == "JWT" && aws_apigatewayv2_authorizer.this[0].jwt_configuration[0].issuer == "https://issuer.example"
    error_message = "Only tokens of the issuer should be let through."
  }

  assert {
    condition     = length(aws_apigatewayv2_route.page) == 4 && alltrue([for route in aws_apigatewayv2_route.page : startswith(route.route_key, "GET /")])
    error_message = "The page's files should be readable, and nothing else."
  }

  assert {
    condition     = toset(one(aws_s3_bucket_cors_configuration.page["input"].cors_rule).allowed_origins) == toset([aws_apigatewayv2_api.this[0].api_endpoint])
    error_message = "The page should be able to upload, and no other."
  }

  assert {
    condition     = !contains(keys(output.api_policy), "Hints")
    error_message = "There is no queue to send to."
  }
}

run "an_existing_bucket_keeps_its_cors_rules" {
  variables {
    trigger = "eventbridge"
    input   = { bucket = "photos-of-others" }
    api = {
      bundle = "tests/empty.zip"
      jwt    = { issuer = "https://issuer.example", audiences = ["pictures"] }
    }
  }

  assert {
    condition     = length(aws_s3_bucket_cors_configuration.page) == 0 && length(aws_apigatewayv2_route.page) == 4
    error_message = "Nothing of an existing bucket may be changed."
  }
}

run "in_a_governed_account" {
  variables {
    api     = { bundle = "tests/empty.zip" }
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
    condition     = { for key, statements in output.key_policies : reverse(split("/", key))[0] => [for statement in statements : statement.Principal.Service] } == { queues = ["s3.amazonaws.com"], topics = ["cloudwatch.amazonaws.com"], logs = ["logs.eu-west-1.amazonaws.com"] }
    error_message = "AWS's own services should be named for each key that they use."
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

run "a_bucket_s_policy_joins_that_of_the_module" {
  variables {
    trigger = "eventbridge"
    input   = { bucket = "photos-of-others" }
    output  = { policy = "{\"Statement\": [{\"Sid\": \"Audit\", \"Effect\": \"Allow\"}]}" }
  }

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.this["output"].policy).Statement : statement.Sid] == ["TlsOnly", "Audit"]
    error_message = "The bucket should have the module's statements and those of its user."
  }

  assert {
    condition     = keys(output.bucket_policies) == ["input"] && output.bucket_policies.input[0].Resource[0] == "arn:aws:s3:::photos-of-others"
    error_message = "The owner of an existing bucket should learn which statements it needs."
  }
}

run "bad_values_for_governed_accounts_are_refused" {
  command = plan

  variables {
    trigger              = "eventbridge"
    input                = { bucket = "photos-of-others", versioning = true }
    output               = { transition = { days = 30, storage_class = "GLACIER" } }
    kms_keys             = { table = "arn:aws:kms:eu-west-1:123456789012:alias/mine" }
    permissions_boundary = "Boundary"
    extra_statements     = { Records = { actions = ["s3:GetObject"], resources = ["arn:aws:s3:::other/*"] } }
    network              = { subnet_ids = [], security_group_ids = ["sg-1"] }
    secrets              = { TABLE_NAME = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/token" }
  }

  expect_failures = [
    var.input, var.output, var.kms_keys, var.permissions_boundary, var.extra_statements, var.network, var.secrets,
  ]
}
