# The optional API: a second function behind an HTTP API. An authorizer checks each call, except the health check and
# calls of the page's own files and of signed URLs.

locals {
  api_count = var.api == null ? 0 : 1
  has_page  = try(var.api.jwt, null) != null

  # A token must have one of the scopes of its method. A method that isn't listed here has the route $default, whose
  # authorizer checks the token too.
  scopes = try(var.api.jwt.scopes, { read = [], change = [], delete = [] })
  scoped_routes = { for route, scopes in {
    "GET /{proxy+}"    = local.scopes.read
    "HEAD /{proxy+}"   = local.scopes.read
    "DELETE /{proxy+}" = local.scopes.delete
  } : route => scopes if length(setunion(local.scopes.read, local.scopes.change, local.scopes.delete)) > 0 }

  api_statements = merge(
    { for purpose in ["ListPictures", "WriteOutputs", "ListOutputs", "Records", "ListRecords", "Notices"] : purpose => local.statements[purpose] },
    { for purpose in ["NoticeEvents"] : purpose => local.statements[purpose] if length(local.event_buses) > 0 },
    { for purpose in ["NoticeMails"] : purpose => local.statements[purpose] if length(local.mail_identities) > 0 },
    {
      # A client that uploads by a form of POST /uploads uses this function's permission. In a versioned bucket a
      # deleted picture can be restored from the bin: that removes a delete marker, or reads an older version.
      Pictures = {
        actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion", "s3:DeleteObjectVersion"]
        resources = ["${local.input_arn}/${var.input.prefix}*"]
      }
      Bin = {
        actions   = ["s3:GetBucketVersioning", "s3:ListBucketVersions"]
        resources = [local.input_arn]
      }
      ApiLog = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = [for group in aws_cloudwatch_log_group.api : "${group.arn}:*"]
      }
    },
    local.has_queue ? {
      Hints = {
        actions   = ["sqs:SendMessage"]
        resources = [aws_sqs_queue.this["queue"].arn]
      }
    } : {},
  )
}

resource "aws_cloudwatch_log_group" "api" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts it already; kms_keys names a key of your own
  #checkov:skip=CKV_AWS_338:log_retention_days says how long

  count = local.api_count

  name              = "/aws/lambda/${local.name}-api"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_keys.logs
  tags              = var.tags
}

resource "aws_iam_role" "api" {
  count = local.api_count

  name_prefix          = "${local.short_name}-api-"
  assume_role_policy   = aws_iam_role.this.assume_role_policy
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "api" {
  count = local.api_count

  name_prefix = "${local.short_name}-api-"
  role        = aws_iam_role.api[0].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.allowed_statements.api, local.denied_statements["${local.name}-api"])
  })
}

resource "aws_lambda_function" "api" {
  #checkov:skip=CKV_AWS_116:the caller of the API gets the error; nothing is lost that could be sent again
  #checkov:skip=CKV_AWS_117:it talks to AWS' public endpoints alone; network puts it into a network of your own
  #checkov:skip=CKV_AWS_115:the stage limits the requests; api.reserved_concurrency limits the calls
  #checkov:skip=CKV_AWS_272:the module's user builds the bundle; signing needs a profile of theirs
  #checkov:skip=CKV_AWS_173:names of buckets and a table are no secrets, and Lambda encrypts them already
  #checkov:skip=CKV_AWS_50:its log has each call; tracing costs per call, and tracing = true turns it on

  count = local.api_count

  function_name = "${local.name}-api"
  description   = "Serves the API for the pictures in ${local.input_bucket}"
  role          = aws_iam_role.api[0].arn
  tags          = var.tags

  s3_bucket        = aws_s3_object.bundle["api"].bucket
  s3_key           = aws_s3_object.bundle["api"].key
  source_code_hash = filebase64sha256(var.api.bundle)
  handler          = "lambda_function.lambda_handler"
  runtime          = "python${var.function.python}"
  architectures    = [var.function.architecture]

  memory_size                    = var.function.memory_mb
  reserved_concurrent_executions = coalesce(var.api.reserved_concurrency, -1)
  # An HTTP API waits no longer.
  timeout = 30

  environment {
    variables = aws_lambda_function.this.environment[0].variables
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.api[0].name
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

  depends_on = [aws_iam_role_policy.api]
}

resource "aws_apigatewayv2_api" "this" {
  count = local.api_count

  name          = local.name
  description   = "The pictures in ${local.input_bucket} and their renditions"
  protocol_type = "HTTP"
  tags          = var.tags
}

resource "aws_apigatewayv2_authorizer" "this" {
  count = try(var.api.jwt, null) == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.this[0].id
  name             = "tokens"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.api.jwt.issuer
    audience = var.api.jwt.audiences
  }
}

resource "aws_apigatewayv2_integration" "this" {
  count = local.api_count

  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.api[0].invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "this" {
  count = local.api_count

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = var.api.jwt == null ? "AWS_IAM" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.this[*].id)

  authorization_scopes = length(local.scopes.change) > 0 ? local.scopes.change : null
}

# API Gateway prefers the route that names the method.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
resource "aws_apigatewayv2_route" "scoped" {
  for_each = local.scoped_routes

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = "JWT"
  authorizer_id      = aws_apigatewayv2_authorizer.this[0].id

  authorization_scopes = length(each.value) > 0 ? each.value : null
}

# A browser requests the page's own files before it has a token. The files contain nothing about pictures. With IAM
# there is no page, because a browser can't sign its requests.
resource "aws_apigatewayv2_route" "page" {
  #checkov:skip=CKV_AWS_309:they are the same for all visitors; the page sends a token with each call

  for_each = local.has_page ? toset(["GET /", "GET /docs", "GET /login", "GET /static/{proxy+}"]) : toset([])

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = "NONE"
}

# A monitor that has neither a token nor a signature can see that the API answers. The answer contains nothing else.
resource "aws_apigatewayv2_route" "health" {
  #checkov:skip=CKV_AWS_309:the answer is the same for all callers; the stage limits the requests

  count = local.api_count

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = "GET /health"
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = "NONE"
}

# The function itself checks signed URLs, because an <img> can send neither a token nor a signature of IAM.
resource "aws_apigatewayv2_route" "signed" {
  #checkov:skip=CKV_AWS_309:the function answers only URLs with a signature of its keys

  count = var.api != null && contains(keys(var.secrets), "RENDITIONS_SIGNING_KEYS") ? 1 : 0

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = "GET /i/{proxy+}"
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = "NONE"
}

# The page sends pictures straight to the bucket. An existing bucket is left as it is.
resource "aws_s3_bucket_cors_configuration" "page" {
  for_each = { for key, bucket in aws_s3_bucket.this : key => bucket if key == "input" && local.has_page }

  bucket = each.value.id

  cors_rule {
    allowed_methods = ["POST"]
    allowed_origins = [aws_apigatewayv2_api.this[0].api_endpoint]
    max_age_seconds = 3600
  }
}

resource "aws_apigatewayv2_stage" "this" {
  count = local.api_count

  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  # These limits are for all callers together, because API Gateway has none for each caller.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
  default_route_settings {
    throttling_rate_limit  = var.api.requests_per_second
    throttling_burst_limit = var.api.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api[0].arn
    format = jsonencode({
      requestId = "$context.requestId"
      ip        = "$context.identity.sourceIp"
      route     = "$context.httpMethod $context.path"
      status    = "$context.status"
      error     = "$context.authorizer.error"
    })
  }
}

resource "aws_lambda_permission" "api" {
  count = local.api_count

  statement_id  = "Api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.api[0].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this[0].execution_arn}/*"
}
