# Buckets and the table. An existing bucket is only looked up.

locals {
  made_buckets = merge(
    var.input.bucket == null ? { input = null } : {},
    var.output.bucket == null ? { output = null } : {},
  )
  input_bucket  = var.input.bucket == null ? aws_s3_bucket.this["input"].bucket : var.input.bucket
  output_bucket = var.output.bucket == null ? aws_s3_bucket.this["output"].bucket : var.output.bucket
  input_arn     = "arn:${local.partition}:s3:::${local.input_bucket}"
  output_arn    = "arn:${local.partition}:s3:::${local.output_bucket}"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV2_AWS_62:the input's are in trigger.tf; the output bucket needs none
  #checkov:skip=CKV_AWS_18:needs a third bucket; for that, pass existing buckets
  #checkov:skip=CKV_AWS_144:renditions can be made again; for replicas, pass existing buckets
  #checkov:skip=CKV_AWS_21:a replaced picture is meant to be replaced, and each version costs
  #checkov:skip=CKV_AWS_145:encrypted with S3's own keys; one of KMS costs per object

  for_each = local.made_buckets

  bucket_prefix = "${var.name}-${each.key}-"
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
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [each.value.arn, "${each.value.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # A policy and a public access block that are written at once can meet in S3.
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
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:encrypted with AWS' own key; a key of one's own costs and must be kept

  name         = var.table.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = var.table.key
  tags         = var.tags

  attribute {
    name = var.table.key
    type = "S"
  }

  dynamic "attribute" {
    for_each = toset(["kind", "sha256", "status", "timestamp"])

    content {
      name = attribute.key
      type = "S"
    }
  }

  # Every record in the order of the names: a plan reads it from start to end.
  global_secondary_index {
    name            = "by-name"
    hash_key        = "kind"
    range_key       = var.table.key
    projection_type = "KEYS_ONLY"
  }

  # The records of each status by time, with the attributes that lists show.
  global_secondary_index {
    name            = "by-status"
    hash_key        = "status"
    range_key       = "timestamp"
    projection_type = "INCLUDE"
    non_key_attributes = [
      "reason",
      "original_format",
      "original_width",
      "original_height",
      "original_size_bytes",
      "processed_width",
      "processed_height",
      "processed_size_bytes",
      "rendition_count",
      "rendition_bytes",
      "processing_microseconds",
    ]
  }

  # Records by the SHA-256 of their picture, by which renamed pictures are recognised.
  global_secondary_index {
    name            = "by-content"
    hash_key        = "sha256"
    projection_type = "KEYS_ONLY"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  deletion_protection_enabled = var.keep_pictures
}
