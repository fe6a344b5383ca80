# The table of the records.

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:encrypted with AWS' own key; kms_keys names a key of your own

  name         = local.table_name
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
    enabled     = true
    kms_key_arn = var.kms_keys.table
  }

  deletion_protection_enabled = var.keep_pictures

  # `terraform destroy` deletes this table before what protects the buckets. AWS refuses to delete a protected
  # table, so a destroy that isn't allowed stops while the buckets are still private and encrypted.
  depends_on = [
    aws_s3_bucket_cors_configuration.page,
    aws_s3_bucket_cors_configuration.renditions,
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
