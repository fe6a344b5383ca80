"""The module really applied, on moto's server: ``make test-infra``.

A poller that acts as Lambda's takes what S3 told the queue to the bundle that was applied. The provider looks
at everything again after each apply, so what moto itself forgets is told apart by name.
"""

from __future__ import annotations

PROVIDER = """
provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""

FORGOTTEN = {
    ("aws_s3_bucket_notification", "eventbridge"): "moto keeps no EventBridge configuration of a bucket",
    ("aws_sqs_queue_redrive_policy", "redrive_policy"): "moto gives the policy back with other blanks in it",
}
"""What a second plan finds changed on moto and not on AWS, and why."""
