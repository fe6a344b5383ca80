# The topics of notices and of alarms, and their subscribers.

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

# Alarms have a topic of their own, because the filters of the other topic select notices by event, and an alarm has
# none. Also, other people may have to act on alarms.
resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:an alarm has no picture in it; kms_keys names a key of your own

  name_prefix       = "${local.name}-alarms-"
  kms_master_key_id = var.kms_keys.topics
  tags              = var.tags
}

# https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
resource "aws_sns_topic_subscription" "emails" {
  for_each = var.notices.emails

  topic_arn     = aws_sns_topic.this.arn
  protocol      = "email"
  endpoint      = each.value
  filter_policy = jsonencode({ event = sort(var.notices.email_events) })
}

resource "aws_sns_topic_subscription" "phones" {
  for_each = var.notices.phones

  topic_arn     = aws_sns_topic.this.arn
  protocol      = "sms"
  endpoint      = each.value
  filter_policy = jsonencode({ event = sort(var.notices.phone_events) })
}

resource "aws_sns_topic_subscription" "alarm_emails" {
  for_each = coalesce(var.alarms.emails, var.notices.emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "alarm_phones" {
  for_each = coalesce(var.alarms.phones, var.notices.phones)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "sms"
  endpoint  = each.value
}
