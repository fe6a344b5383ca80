# The bundles, on their way to Lambda. They go through a bucket, because Lambda accepts at most 50 MB directly.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

locals {
  bundles = merge({ pictures = var.bundle }, var.api == null ? {} : { api = var.api.bundle })
}

resource "aws_s3_object" "bundle" {
  for_each = local.bundles

  bucket = local.code_bucket
  key    = "${var.code.prefix}${local.name}/${each.key}-${filesha256(each.value)}.zip"
  source = each.value

  # S3 allows ten tags for an object, and a company may have more default tags.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  # Create the policy before the first object.
  depends_on = [aws_s3_bucket_policy.this]

  lifecycle {
    # Lambda reads the new bundle before Terraform deletes the old one.
    create_before_destroy = true
  }
}
