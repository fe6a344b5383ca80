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

run "the_queue_leaves_one_of_the_function_s_calls_to_the_schedule" {
  variables {
    function = { reserved_concurrency = 5 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].scaling_config[0].maximum_concurrency == 4
    error_message = "One call should be left for the schedule."
  }
}

run "queue_concurrency_can_be_lower_than_the_function_allows" {
  variables {
    function = { reserved_concurrency = 50, queue_concurrency = 10 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].scaling_config[0].maximum_concurrency == 10
    error_message = "The declared number counts."
  }
}

run "queue_concurrency_works_without_reserved_concurrency" {
  variables {
    function = { queue_concurrency = 7 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this[0].scaling_config[0].maximum_concurrency == 7
    error_message = "The declared number counts, also alone."
  }
}

run "a_reserved_concurrency_too_low_for_queue_and_schedule_is_refused" {
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

run "one_bucket_with_overlapping_default_prefixes_is_refused" {
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

run "a_message_stays_hidden_as_long_as_the_lease_of_a_killed_call_lasts" {
  command = plan

  variables {
    function = { timeout_seconds = 10 }
  }

  assert {
    condition     = aws_sqs_queue.this["queue"].visibility_timeout_seconds == 310
    error_message = "SQS would redeliver the message while the lease still blocks its picture."
  }
}

run "no_api_is_created_by_default" {
  assert {
    condition     = length(aws_apigatewayv2_api.this) == 0 && length(aws_lambda_function.api) == 0 && output.api_url == null
    error_message = "An API wasn't asked for."
  }
}

run "an_api_with_jwt_needs_tokens_except_for_the_page_s_files" {
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

run "statements_of_policy_are_added_to_those_of_the_module" {
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

run "extra_statements_keep_their_conditions" {
  variables {
    extra_statements = {
      Labels = { actions = ["rekognition:DetectLabels"], resources = ["*"] }
      Originals = {
        actions    = ["s3:GetObject"]
        resources  = ["arn:aws:s3:::originals/*"]
        conditions = { StringEquals = { "s3:ExistingObjectTag/public" = ["yes"] } }
      }
    }
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Condition if statement.Sid == "Originals"] == [
      { StringEquals = { "s3:ExistingObjectTag/public" = ["yes"] } }
    ]
    error_message = "The statement should hold only under its condition."
  }

  # IAM refuses an empty condition.
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : keys(statement) if statement.Sid == "Labels"] == [["Action", "Effect", "Resource", "Sid"]]
    error_message = "A statement without conditions should have none in the policy."
  }
}

run "both_functions_may_send_to_each_declared_event_bus" {
  variables {
    api     = { bundle = "tests/empty.zip" }
    notices = { event_buses = ["pictures", "arn:aws:events:eu-west-1:210987654321:event-bus/theirs"] }
  }

  assert {
    condition = toset(output.policy.NoticeEvents.resources) == toset([
      "arn:aws:events:eu-west-1:123456789012:event-bus/pictures",
      "arn:aws:events:eu-west-1:210987654321:event-bus/theirs",
    ])
    error_message = "The function should be able to send to each bus, and to no other."
  }

  assert {
    condition     = toset(output.api_policy.NoticeEvents.resources) == toset(output.policy.NoticeEvents.resources)
    error_message = "The API's function sends the same notices."
  }
}

run "both_functions_may_send_mails_only_from_declared_addresses" {
  variables {
    api     = { bundle = "tests/empty.zip" }
    notices = { mail_senders = ["pictures@example.org", "shop@example.org"] }
  }

  assert {
    condition = toset(output.policy.NoticeMails.resources) == toset([
      "arn:aws:ses:eu-west-1:123456789012:identity/pictures@example.org",
      "arn:aws:ses:eu-west-1:123456789012:identity/shop@example.org",
      "arn:aws:ses:eu-west-1:123456789012:identity/example.org",
    ])
    error_message = "The function should be able to send from each address or its domain, and from no other."
  }

  assert {
    condition = alltrue([for policy in [aws_iam_role_policy.this.policy, aws_iam_role_policy.api[0].policy] :
      [for statement in jsondecode(policy).Statement : statement.Condition if statement.Sid == "NoticeMails"] ==
      [{ StringEquals = { "ses:FromAddress" = ["pictures@example.org", "shop@example.org"] } }]
    ])
    error_message = "The identity of a domain should allow only the declared addresses of the domain."
  }

  assert {
    condition     = join(",", output.policy.NoticeMails.actions) == "ses:SendEmail"
    error_message = "The function should only send e-mails."
  }

  assert {
    condition     = toset(output.api_policy.NoticeMails.resources) == toset(output.policy.NoticeMails.resources)
    error_message = "The API's function sends the same notices."
  }
}

run "two_separate_prefixes_of_one_bucket_are_accepted" {
  variables {
    trigger = "eventbridge"
    input   = { bucket = "photos-of-others", prefix = "in/" }
    output  = { bucket = "photos-of-others", prefix = "out/" }
  }

  assert {
    condition     = join(",", keys(aws_s3_bucket.this)) == "code" && jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern).detail.object.key[0].prefix == "in/"
    error_message = "A rendition should be no new picture."
  }
}

run "an_output_prefix_within_the_input_prefix_is_refused" {
  command = plan

  variables {
    trigger = "eventbridge"
    input   = { bucket = "photos-of-others", prefix = "in/" }
    output  = { bucket = "photos-of-others", prefix = "in/out/" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "bad_events_and_subscribers_are_refused" {
  command = plan

  variables {
    notices = { email_events = ["finished"] }
    alarms  = { emails = ["me"], phones = ["0170"] }
  }

  expect_failures = [var.notices, var.alarms]
}

run "serving_lets_only_its_distribution_read_the_renditions" {
  variables {
    serving  = {}
    kms_keys = { output = "arn:aws:kms:eu-west-1:123456789012:key/output" }
  }

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.this["output"].policy).Statement : statement if statement.Sid == "Serving"][0].Condition.StringEquals["aws:SourceArn"] == aws_cloudfront_distribution.this[0].arn
    error_message = "Only this distribution should read the renditions."
  }

  assert {
    condition     = length(jsondecode(aws_s3_bucket_policy.this["input"].policy).Statement) == 1
    error_message = "No distribution should read the pictures."
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this[0].origin).origin_path == "/processed"
    error_message = "The URL of a rendition should be its key below the prefix."
  }

  assert {
    condition     = [for statement in output.key_policies["arn:aws:kms:eu-west-1:123456789012:key/output"] : statement.Principal.Service] == ["cloudfront.amazonaws.com"]
    error_message = "CloudFront should be able to decrypt the renditions."
  }

  assert {
    condition     = length(aws_cloudfront_key_group.this) == 0 && length(one(aws_cloudfront_distribution.this[0].default_cache_behavior).trusted_key_groups) == 0
    error_message = "Without keys the renditions are public."
  }
}

run "bucket_policies_lists_what_cloudfront_needs_of_an_existing_bucket" {
  variables {
    serving = {}
    output  = { bucket = "renditions-of-others" }
  }

  assert {
    condition     = [for statement in output.bucket_policies.output : statement.Sid] == ["TlsOnly", "Serving"]
    error_message = "The owner of the bucket should learn which statements it needs."
  }
}

run "bad_values_for_serving_are_refused" {
  command = plan

  variables {
    serving = { domains = ["img.example.com"], price_class = "PriceClass_50", public_keys = { first = "a key" } }
  }

  expect_failures = [var.serving]
}

run "cors_origins_in_serving_are_refused" {
  command = plan

  variables {
    serving = { cors_origins = ["https://shop.example"] }
  }

  expect_failures = [var.serving]
}

run "an_existing_output_bucket_keeps_its_cors_rules" {
  variables {
    serving = {}
    output  = { bucket = "renditions-of-others", cors_origins = ["https://shop.example"] }
  }

  assert {
    condition     = length(aws_s3_bucket_cors_configuration.renditions) == 0
    error_message = "Nothing of an existing bucket may be changed."
  }

  assert {
    condition     = toset(one(one(aws_cloudfront_response_headers_policy.this[0].cors_config).access_control_allow_origins).items) == toset(["https://shop.example"])
    error_message = "CloudFront should let scripts of these pages read."
  }
}

run "with_serving_the_page_s_files_come_from_cloudfront" {
  variables {
    serving = {}
    api = {
      bundle = "tests/empty.zip"
      jwt    = { issuer = "https://issuer.example", audiences = ["pictures"] }
    }
  }

  assert {
    condition     = aws_lambda_function.api[0].environment[0].variables.PAGE_FILES_URL == output.serving_url
    error_message = "The page should find its files at CloudFront."
  }

  assert {
    condition     = "https://${[for origin in aws_cloudfront_distribution.this[0].origin : origin.domain_name if origin.origin_id == "page"][0]}" == aws_apigatewayv2_api.this[0].api_endpoint
    error_message = "CloudFront should ask the API for them."
  }
}

run "without_serving_the_page_uses_its_own_files" {
  variables {
    api = {
      bundle = "tests/empty.zip"
      jwt    = { issuer = "https://issuer.example", audiences = ["pictures"] }
    }
  }

  assert {
    condition     = aws_lambda_function.api[0].environment[0].variables.PAGE_FILES_URL == ""
    error_message = "There is no other place for them."
  }
}
