# What a company may require of every role and function: a boundary, a network, traces, secrets, statements of its own.

locals {
  # Lambda needs these for functions in a network. AWS offers no narrower resource for some of them.
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
  network_actions = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ]

  more_statements = merge(
    var.network == null ? {} : {
      Network = { actions = local.network_actions, resources = ["*"] }
    },
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    var.tracing ? {
      Traces = { actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources = ["*"] }
    } : {},
    { for sid, statement in {
      Secrets    = { actions = ["secretsmanager:GetSecretValue"], resources = [for arn in values(var.secrets) : arn if split(":", arn)[2] == "secretsmanager"] }
      Parameters = { actions = ["ssm:GetParameter"], resources = [for arn in values(var.secrets) : arn if split(":", arn)[2] == "ssm"] }
    } : sid => statement if length(statement.resources) > 0 },
    local.invalidates ? {
      Invalidations = { actions = ["cloudfront:CreateInvalidation"], resources = [aws_cloudfront_distribution.this[0].arn] }
    } : {},
    var.extra_statements,
  )

  function_statements = merge(local.statements, local.key_statements, local.more_statements)
  api_function_statements = {
    for sid, statement in merge(local.api_statements, local.api_key_statements, local.more_statements) :
    sid => statement if var.api != null
  }

  # The same, as IAM writes it. Most statements have no condition.
  allowed_statements = { for role, statements in { function = local.function_statements, api = local.api_function_statements } :
    role => [for sid, statement in statements : merge(
      { Sid = sid, Effect = "Allow", Action = statement.actions, Resource = statement.resources },
      length(try(statement.conditions, {})) > 0 ? { Condition = statement.conditions } : {},
    )]
  }

  # Lambda itself manages the network interfaces. The function's code may not.
  denied_statements = { for function in [local.name, "${local.name}-api"] : function => var.network == null ? [] : [{
    Sid       = "NetworkIsNotForTheCode"
    Effect    = "Deny"
    Action    = local.network_actions
    Resource  = "*"
    Condition = { ArnEquals = { "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${function}" } }
  }] }
}
