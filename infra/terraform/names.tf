# The names of the resources, so that two deployments in one account never share any.

locals {
  # The log group claims the deployment's name. AWS refuses to create a log group that exists, but quietly hands
  # out a topic, a queue, an alarm or a dashboard that exists. So everything else takes its name from the claim and
  # is created after it. `renditions destroy` keeps the claim together with the buckets and the table.
  # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
  name = trimprefix(aws_cloudwatch_log_group.this.name, "/aws/lambda/")

  # AWS allows 64 characters for a role and 63 for a bucket, and Terraform's suffix has 26: "-schedule-" and
  # "-output-" must fit too.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  short_name = trimsuffix(substr(local.name, 0, 28), "-")

  table_name = coalesce(var.table.name, local.name)
}
