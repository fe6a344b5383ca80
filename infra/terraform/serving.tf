# The optional CloudFront distribution of the renditions. With it, only CloudFront may read them (origin access control).

locals {
  serving_count = var.serving == null ? 0 : 1
  is_private    = try(length(var.serving.public_keys) > 0, false)
  invalidates   = try(var.serving.invalidate, false)
  serving_url   = one([for distribution in aws_cloudfront_distribution.this : "https://${try(sort(var.serving.domains)[0], distribution.domain_name)}/"])

  caching_optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"

  # The page's files don't change under their path, so CloudFront asks the API's function for each only once.
  page_origins = local.has_page ? aws_apigatewayv2_api.this[*].api_endpoint : []

  # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
  serving_statements = [for distribution in aws_cloudfront_distribution.this : {
    Sid       = "Serving"
    Effect    = "Allow"
    Principal = { Service = "cloudfront.amazonaws.com" }
    Action    = "s3:GetObject"
    Resource  = "${local.output_arn}/${var.output.prefix}*"
    Condition = { StringEquals = { "aws:SourceArn" = distribution.arn } }
  }]
}

# Names of CloudFront's resources must be unique in the account, so they contain the region.
resource "aws_cloudfront_origin_access_control" "this" {
  count = local.serving_count

  name                              = "${local.name}-${local.region}"
  description                       = "Renditions in ${local.output_bucket}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_response_headers_policy" "this" {
  # checkov:skip=CKV_AWS_259:Strict transport security is on for this domain; its subdomains and browsers' preload lists are for the domain's owner
  count = local.serving_count

  name    = "${local.name}-${local.region}"
  comment = "Renditions in ${local.output_bucket}"

  # A rendition is never a page, and a browser may not take it for one.
  security_headers_config {
    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    content_security_policy {
      content_security_policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
      override                = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }

  dynamic "cors_config" {
    for_each = length(var.output.cors_origins) == 0 ? [] : [1]

    content {
      access_control_allow_credentials = false
      access_control_max_age_sec       = local.cors.max_age_seconds
      origin_override                  = true

      access_control_allow_headers {
        items = local.cors.allowed_headers
      }

      access_control_allow_methods {
        items = local.cors.allowed_methods
      }

      access_control_allow_origins {
        items = var.output.cors_origins
      }

      access_control_expose_headers {
        items = local.cors.expose_headers
      }
    }
  }
}

resource "aws_cloudfront_public_key" "this" {
  for_each = try(var.serving.public_keys, {})

  name_prefix = "${local.name}-${each.key}-"
  encoded_key = each.value

  lifecycle {
    # The key group needs the new key before the old one can be deleted.
    create_before_destroy = true
  }
}

resource "aws_cloudfront_key_group" "this" {
  count = local.is_private ? 1 : 0

  name  = "${local.name}-${local.region}"
  items = [for key in aws_cloudfront_public_key.this : key.id]
}

# This function changes the requested key before CloudFront checks its cache, so each format is cached by its own key.
resource "aws_cloudfront_function" "accept" {
  for_each = toset(compact([try(var.serving.accept_function, null)]))

  name    = "${local.name}-${local.region}"
  comment = "Chooses formats of the renditions in ${local.output_bucket}"
  runtime = "cloudfront-js-2.0"
  code    = file(each.value)
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_68:which requests to block is the owner's choice; attach a firewall by its own resource
  #checkov:skip=CKV_AWS_86:access logs cost and need a bucket of their own
  #checkov:skip=CKV_AWS_305:keys are served, and there is no page at the root
  #checkov:skip=CKV_AWS_310:there is one bucket, and one API
  #checkov:skip=CKV_AWS_374:who may see the pictures is the owner's choice
  #checkov:skip=CKV2_AWS_47:a bucket runs no code, and the API's function no Java

  count = local.serving_count

  comment         = "Renditions in ${local.output_bucket}"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.serving.price_class
  aliases         = var.serving.domains
  tags            = var.tags

  origin {
    origin_id                = "renditions"
    domain_name              = "${local.output_bucket}.s3.${local.region}.${data.aws_partition.current.dns_suffix}"
    origin_path              = var.output.prefix == "" ? null : "/${trimsuffix(var.output.prefix, "/")}"
    origin_access_control_id = aws_cloudfront_origin_access_control.this[0].id
  }

  dynamic "origin" {
    for_each = local.page_origins

    content {
      origin_id   = "page"
      domain_name = trimprefix(origin.value, "https://")

      custom_origin_config {
        http_port              = 80
        https_port             = 443
        origin_protocol_policy = "https-only"
        origin_ssl_protocols   = ["TLSv1.2"]
      }
    }
  }

  # The name keeps it apart from keys of renditions, which have all other paths.
  dynamic "ordered_cache_behavior" {
    for_each = local.page_origins

    content {
      path_pattern           = "/static/renditions-page-*"
      target_origin_id       = "page"
      viewer_protocol_policy = "redirect-to-https"
      allowed_methods        = ["GET", "HEAD"]
      cached_methods         = ["GET", "HEAD"]
      cache_policy_id        = local.caching_optimized
      compress               = true
    }
  }

  # CloudFront keeps an object as long as its Cache-Control says: that of [output] in the pipeline file.
  # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
  default_cache_behavior {
    target_origin_id           = "renditions"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = local.caching_optimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this[0].id
    # The bucket answers preflight requests by its CORS rule, for which it needs their origin.
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
    origin_request_policy_id = length(var.output.cors_origins) == 0 ? null : "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf" # CORS-S3Origin
    trusted_key_groups       = aws_cloudfront_key_group.this[*].id
    compress                 = false # pictures are compressed

    dynamic "function_association" {
      for_each = values(aws_cloudfront_function.accept)

      content {
        event_type   = "viewer-request"
        function_arn = function_association.value.arn
      }
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.serving.certificate_arn == null ? true : null
    acm_certificate_arn            = var.serving.certificate_arn
    ssl_support_method             = var.serving.certificate_arn == null ? null : "sni-only"
    minimum_protocol_version       = var.serving.certificate_arn == null ? null : "TLSv1.2_2021"
  }
}
