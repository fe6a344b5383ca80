# The topic and the subscribers of notices and alarms.

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:CloudWatch's alarms may not use AWS' own key for SNS; a notice has no picture in it

  # Not under AWS' own key for SNS: CloudWatch's alarms may not use that one.
  name = var.name
  tags = var.tags
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
