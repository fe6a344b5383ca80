# The buckets. An existing bucket is only looked up.

locals {
  made_buckets  = { for key, place in local.places : key => null if place.bucket == null }
  input_bucket  = var.input.bucket == null ? aws_s3_bucket.this["input"].bucket : var.input.bucket
  output_bucket = var.output.bucket == null ? aws_s3_bucket.this["output"].bucket : var.output.bucket
  code_bucket   = var.code.bucket == null ? aws_s3_bucket.this["code"].bucket : var.code.bucket
  input_arn     = "arn:${local.partition}:s3:::${local.input_bucket}"
  output_arn    = "arn:${local.partition}:s3:::${local.output_bucket}"
  code_arn      = "arn:${local.partition}:s3:::${local.code_bucket}"

  places = {
    input  = var.input
    output = var.output
    # Bundles have their hash in their key, so no version of one is ever replaced.
    code = merge(var.code, { versioning = false, noncurrent_days = null, transition = null, policy = null })
  }
}

locals {
  # The statements of each bucket's policy. The owner of an existing bucket adds them: see the output bucket_policies.
  bucket_statements = {
    for key, arn in { input = local.input_arn, output = local.output_arn, code = local.code_arn } : key => concat([{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }], key == "output" ? local.serving_statements : [])
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV2_AWS_62:the input's are in trigger.tf; the output bucket needs none
  #checkov:skip=CKV_AWS_18:needs one more bucket; for that, pass existing buckets
  #checkov:skip=CKV_AWS_144:renditions can be made again; for replicas, pass existing buckets
  #checkov:skip=CKV_AWS_21:a replaced picture is meant to be replaced, and each version costs; versioning = true keeps them
  #checkov:skip=CKV_AWS_145:encrypted with S3's own keys; kms_keys names a key of your own

  for_each = local.made_buckets

  bucket_prefix = "${local.short_name}-${each.key}-"
  force_destroy = !var.keep_pictures
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    # With a bucket key S3 asks KMS once for many objects.
    bucket_key_enabled = var.kms_keys[each.key] == null ? null : true

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_keys[each.key] == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_keys[each.key]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.bucket_statements[each.key], try(jsondecode(local.places[each.key].policy).Statement, []))
  })

  # S3 may refuse a policy while it writes the public access block of the same bucket.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = local.places[each.key].versioning ? [1] : []

    content {
      id     = "former-versions"
      status = "Enabled"

      filter {}

      noncurrent_version_expiration {
        noncurrent_days = local.places[each.key].noncurrent_days
      }
    }
  }

  dynamic "rule" {
    for_each = local.places[each.key].transition[*]

    content {
      id     = "cheaper-storage"
      status = "Enabled"

      filter {}

      transition {
        days          = rule.value.days
        storage_class = rule.value.storage_class
      }
    }
  }

  # Rules for former versions need a bucket that keeps versions.
  depends_on = [aws_s3_bucket_versioning.this]
}

# The headers that scripts on pages of other origins may send and read, as at `renditions serve`.
locals {
  cors = {
    allowed_methods = ["GET", "HEAD"]
    allowed_headers = ["If-None-Match", "Range"]
    expose_headers  = ["Content-Range", "ETag"]
    max_age_seconds = 600
  }
}

resource "aws_s3_bucket_cors_configuration" "renditions" {
  for_each = { for key, bucket in aws_s3_bucket.this : key => bucket if key == "output" && length(var.output.cors_origins) > 0 }

  bucket = each.value.id

  cors_rule {
    allowed_origins = var.output.cors_origins
    allowed_methods = local.cors.allowed_methods
    allowed_headers = local.cors.allowed_headers
    expose_headers  = local.cors.expose_headers
    max_age_seconds = local.cors.max_age_seconds
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = { for key, bucket in aws_s3_bucket.this : key => bucket if local.places[key].versioning }

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}
