# Who hears of pictures and of alarms.

resource "aws_sns_topic" "this" {
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
