# The topic and the subscribers of notices and alarms.

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:a notice has no picture in it; kms_keys names a key of your own

  name_prefix       = "${local.name}-"
  kms_master_key_id = var.kms_keys.topics
  tags              = var.tags

  lifecycle {
    # A topic of an older version keeps its name and its subscribers.
    ignore_changes = [name_prefix]
  }
}

resource "aws_sns_topic_subscription" "emails" {
  for_each = var.notices.emails

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "phones" {
  for_each = var.notices.phones

  topic_arn = aws_sns_topic.this.arn
  protocol  = "sms"
  endpoint  = each.value
}
