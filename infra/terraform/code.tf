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

  # S3 takes ten tags of an object, and a company's default tags may be more.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  # The policy is there before the first object.
  depends_on = [aws_s3_bucket_policy.this]

  lifecycle {
    # Lambda reads the new bundle before the old one goes.
    create_before_destroy = true
  }
}
