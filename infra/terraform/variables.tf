variable "name" {
  description = "The name of this deployment. The names of its resources contain it: whole, or its first 28 characters where AWS allows no more. If another deployment in the same account and region has this name, the apply fails."
  type        = string
  default     = "renditions"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "Expected 3 to 32 lower-case letters, digits and hyphens, beginning with a letter, not ending with a hyphen, and not beginning with xn--, sthree- or amzn-s3-demo-."
  }

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  validation {
    condition     = !can(regex("^(xn--|sthree-|amzn-s3-demo-)", var.name))
    error_message = "Expected a name that doesn't begin with xn--, sthree- or amzn-s3-demo-: S3 refuses buckets with such names."
  }
}

variable "bundle" {
  description = "The path of the zip that `renditions package` made. It contains the checked pipeline."
  type        = string

  validation {
    condition     = endswith(var.bundle, ".zip")
    error_message = "Expected the path of a .zip file."
  }
}

variable "code" {
  description = "The bucket and prefix through which bundles go to Lambda. Without a bucket name the module creates a bucket for them."
  type = object({
    bucket = optional(string)
    prefix = optional(string, "")
  })
  default = {}

  validation {
    condition     = var.code.prefix == "" || endswith(var.code.prefix, "/")
    error_message = "Expected a prefix that is empty or ends with a slash."
  }
}

variable "function" {
  description = "The function's processor, Python version, memory and time limit; the processor and version must be those that the bundle was made for; Python 3.14 needs version 6 of the AWS provider. `reserved_concurrency`: how many calls may run at once (null: as many as the account allows). `queue_concurrency`: how many calls the queue may cause at once, 2 to 1000 (null: what `reserved_concurrency` allows beside the schedule). `recursion`: whether a tick may continue in more than about sixteen calls; false leaves Lambda's detection of recursive loops on."
  type = object({
    architecture         = optional(string, "arm64")
    python               = optional(string, "3.13")
    memory_mb            = optional(number, 1769)
    timeout_seconds      = optional(number, 120)
    reserved_concurrency = optional(number)
    queue_concurrency    = optional(number)
    recursion            = optional(bool, true)
  })
  default = {}

  validation {
    condition     = try(coalesce(var.function.queue_concurrency, 2), 2) >= 2 && try(coalesce(var.function.queue_concurrency, 2), 2) <= 1000
    error_message = "Expected a queue_concurrency of 2 to 1000."
  }

  validation {
    condition     = contains(["arm64", "x86_64"], var.function.architecture)
    error_message = "Expected the architecture arm64 or x86_64."
  }

  validation {
    condition     = var.function.timeout_seconds >= 10 && var.function.timeout_seconds <= 900
    error_message = "Expected a time limit of 10 to 900 seconds."
  }

  validation {
    condition     = var.function.memory_mb >= 128 && var.function.memory_mb <= 10240
    error_message = "Expected 128 to 10240 MB of memory."
  }
}

variable "input" {
  description = "The bucket and prefix that pictures are uploaded to. Without a bucket name the module creates a bucket. There `versioning` keeps former versions for `noncurrent_days`, and `transition` moves pictures to a cheaper storage class. `policy` is a policy in JSON whose statements are added to those of the module. The module doesn't change an existing bucket, whose events must already go to EventBridge."
  type = object({
    bucket          = optional(string)
    prefix          = optional(string, "")
    versioning      = optional(bool, false)
    noncurrent_days = optional(number, 30)
    transition      = optional(object({ days = number, storage_class = string }))
    policy          = optional(string)
  })
  default = {}

  validation {
    condition     = var.input.prefix == "" || endswith(var.input.prefix, "/")
    error_message = "Expected a prefix that is empty or ends with a slash."
  }

  validation {
    condition     = var.input.bucket == null || (!var.input.versioning && var.input.transition == null && var.input.policy == null)
    error_message = "Expected versioning, transition and policy only without a bucket name: the module doesn't change an existing bucket."
  }

  validation {
    condition     = contains(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"], try(var.input.transition.storage_class, "STANDARD_IA"))
    error_message = "Expected the storage class STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR: in other classes, a picture must be restored before it can be read."
  }

  validation {
    condition     = var.input.policy == null || can(jsondecode(var.input.policy).Statement[0].Effect)
    error_message = "Expected a policy in JSON with a list of statements."
  }

  validation {
    condition     = var.input.noncurrent_days >= 1 && try(var.input.transition.days, 0) >= 0
    error_message = "Expected at least 1 day for former versions, and 0 or more until a transition."
  }
}

variable "output" {
  description = "The bucket and prefix that renditions go to. Without a bucket name the module creates a bucket, with the same choices as for `input`. `cors_origins`: the origins in `[output] cors_origins` of the pipeline file. Scripts of their pages may read renditions from CloudFront, and from a bucket that the module creates."
  type = object({
    bucket          = optional(string)
    prefix          = optional(string, "processed/")
    cors_origins    = optional(set(string), [])
    versioning      = optional(bool, false)
    noncurrent_days = optional(number, 30)
    transition      = optional(object({ days = number, storage_class = string }))
    policy          = optional(string)
  })
  default = {}

  validation {
    condition     = var.output.prefix == "" || endswith(var.output.prefix, "/")
    error_message = "Expected a prefix that is empty or ends with a slash."
  }

  validation {
    condition     = var.output.bucket == null || (!var.output.versioning && var.output.transition == null && var.output.policy == null)
    error_message = "Expected versioning, transition and policy only without a bucket name: the module doesn't change an existing bucket."
  }

  validation {
    condition     = contains(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"], try(var.output.transition.storage_class, "STANDARD_IA"))
    error_message = "Expected the storage class STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR: in other classes, a picture must be restored before it can be read."
  }

  validation {
    condition     = var.output.policy == null || can(jsondecode(var.output.policy).Statement[0].Effect)
    error_message = "Expected a policy in JSON with a list of statements."
  }

  validation {
    condition     = var.output.noncurrent_days >= 1 && try(var.output.transition.days, 0) >= 0
    error_message = "Expected at least 1 day for former versions, and 0 or more until a transition."
  }
}

variable "trigger" {
  description = "How an upload reaches the function: \"sqs\" (S3, a queue, the function), \"eventbridge\" (S3, EventBridge, a queue, the function) or \"direct\" (S3, the function)."
  type        = string
  default     = "sqs"

  validation {
    condition     = contains(["sqs", "eventbridge", "direct"], var.trigger)
    error_message = "Expected sqs, eventbridge or direct."
  }
}

variable "table" {
  description = "The DynamoDB table of the records: its name (null: the name of the deployment), and the name of its partition key, as in `[catalog] key` of the pipeline file."
  type = object({
    name = optional(string)
    key  = optional(string, "image_name")
  })
  default = {}

  validation {
    condition     = contains(["image_name", "image_id"], var.table.key) || can(regex("^[A-Za-z_][A-Za-z0-9_]*$", var.table.key))
    error_message = "Expected a name of letters, digits and underscores."
  }

  validation {
    condition     = var.table.name == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table.name))
    error_message = "Expected a table name of 3 to 255 letters, digits, underscores, hyphens and dots."
  }
}

variable "notices" {
  description = "Who gets notices of the events that the pipeline file declares: e-mail addresses and telephone numbers (+491701234567), each with the events that they get. Also the EventBridge buses (names or ARNs) of the file's `events:` targets, and the sender addresses of its `ses:` targets (verified in SES). `eventbridge` adds the default bus."
  type = object({
    emails       = optional(set(string), [])
    email_events = optional(set(string), ["rejected", "failed", "removals_held", "output_held", "digest"])
    phones       = optional(set(string), [])
    phone_events = optional(set(string), ["failed", "removals_held", "output_held", "digest"])
    event_buses  = optional(set(string), [])
    eventbridge  = optional(bool, false)
    mail_senders = optional(set(string), [])
  })
  default = {}

  validation {
    condition     = length(setsubtract(setunion(var.notices.email_events, var.notices.phone_events), ["done", "rejected", "failed", "removed", "removals_held", "output_held", "digest"])) == 0
    error_message = "Expected the events done, rejected, failed, removed, removals_held, output_held and digest."
  }

  validation {
    condition     = length(var.notices.email_events) > 0 && length(var.notices.phone_events) > 0
    error_message = "Expected at least one event: SNS refuses a filter without one."
  }

  validation {
    condition     = alltrue([for phone in var.notices.phones : can(regex("^\\+[1-9][0-9]{6,14}$", phone))])
    error_message = "Expected telephone numbers as +491701234567."
  }

  validation {
    condition     = alltrue([for email in setunion(var.notices.emails, var.notices.mail_senders) : can(regex("^[^@\\s]+@[^@\\s]+$", email))])
    error_message = "Expected e-mail addresses."
  }
}

variable "alarms" {
  description = "Who gets alarms: e-mail addresses and telephone numbers (null: those of `notices`). For other subscribers, use the output `alarm_topic_arn`."
  type = object({
    emails = optional(set(string))
    phones = optional(set(string))
  })
  default = {}

  validation {
    condition     = alltrue([for phone in coalesce(var.alarms.phones, []) : can(regex("^\\+[1-9][0-9]{6,14}$", phone))])
    error_message = "Expected telephone numbers as +491701234567."
  }

  validation {
    condition     = alltrue([for email in coalesce(var.alarms.emails, []) : can(regex("^[^@\\s]+@[^@\\s]+$", email))])
    error_message = "Expected e-mail addresses."
  }
}

variable "api" {
  description = "The API behind an HTTP API: the path of the zip that `renditions package --api` made, and who may call it. With `jwt`, callers need a token of this issuer for one of these audiences. To read, to change or to delete, the token needs one of the scopes in that set of `scopes`; an empty set needs none. Without `jwt`, callers sign with IAM. `requests_per_second` and `burst` limit all callers together, and `reserved_concurrency` limits how many calls run at once (null: as many as the account allows). null for no API."
  type = object({
    bundle = string
    jwt = optional(object({
      issuer    = string
      audiences = set(string)
      scopes = optional(object({
        read   = optional(set(string), [])
        change = optional(set(string), [])
        delete = optional(set(string), [])
      }), {})
    }))
    requests_per_second  = optional(number, 100)
    burst                = optional(number, 200)
    reserved_concurrency = optional(number)
  })
  default = null

  validation {
    condition     = var.api == null || try(endswith(var.api.bundle, ".zip"), false)
    error_message = "Expected the path of a .zip file."
  }

  validation {
    condition     = var.api == null || try(var.api.requests_per_second > 0 && var.api.burst > 0, false)
    error_message = "Expected requests_per_second and burst above 0: with 0 API Gateway refuses every request."
  }
}

variable "serving" {
  description = "Serves the renditions from CloudFront: at your own domains, with this certificate (of ACM in us-east-1), and in these regions (`price_class`). With `public_keys` (PEM by name), clients need URLs or cookies that are signed with one of the keys. `invalidate`: whether the functions make CloudFront fetch replaced and deleted renditions again, if their keys have no version; AWS charges for each path. `accept_function`: the path of the function that `renditions package --accept-function` wrote, which chooses formats by the header Accept. null for no CloudFront."
  type = object({
    domains         = optional(set(string), [])
    certificate_arn = optional(string)
    price_class     = optional(string, "PriceClass_All")
    cors_origins    = optional(set(string))
    public_keys     = optional(map(string), {})
    invalidate      = optional(bool, false)
    accept_function = optional(string)
  })
  default = null

  validation {
    condition     = (length(try(var.serving.domains, [])) == 0) == (try(var.serving.certificate_arn, null) == null)
    error_message = "Expected domains and certificate_arn together: CloudFront serves a domain of yours only with its certificate."
  }

  # Terraform would ignore a field that isn't declared, and pages would lose their access.
  validation {
    condition     = try(var.serving.cors_origins, null) == null
    error_message = "Expected no cors_origins here: declare them as cors_origins of [output] in the pipeline file. main.tf passes them on: output = { …, cors_origins = var.pipeline.cors_origins }."
  }

  # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
  validation {
    condition     = try(var.serving.certificate_arn, null) == null || can(regex("^arn:[a-z-]+:acm:us-east-1:[0-9]{12}:certificate/.+$", var.serving.certificate_arn))
    error_message = "Expected the ARN of a certificate of ACM in us-east-1: CloudFront accepts no other region."
  }

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], try(var.serving.price_class, "PriceClass_All"))
    error_message = "Expected PriceClass_100, PriceClass_200 or PriceClass_All."
  }

  validation {
    condition     = alltrue([for key in values(try(var.serving.public_keys, {})) : startswith(trimspace(key), "-----BEGIN PUBLIC KEY-----")])
    error_message = "Expected public keys as PEM: -----BEGIN PUBLIC KEY----- …"
  }
}

variable "reconcile_schedule" {
  description = "When to check everything for changes that no event reported, as an EventBridge Scheduler expression; null for never."
  type        = string
  default     = "rate(1 day)"

  validation {
    condition     = var.reconcile_schedule == null || can(regex("^(rate|cron)\\(.+\\)$", var.reconcile_schedule))
    error_message = "Expected rate(…), cron(…) or null."
  }
}

variable "log_retention_days" {
  description = "How many days the functions' logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Expected a number of days that CloudWatch Logs knows, such as 7, 30 or 365."
  }
}

variable "keep_pictures" {
  description = "Whether `terraform destroy` fails at the table, and at buckets that aren't empty. Terraform deletes pictures and records only if this is false."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of every resource that takes tags, except the bundles' objects."
  type        = map(string)
  default     = {}
}

variable "kms_keys" {
  description = "The ARNs of KMS keys for what the module creates, and of the keys of existing SSE-KMS buckets (`input`, `output`, `code`). null: AWS's own encryption. The functions get the permissions that they need for these keys; the output `key_policies` says what a key's own policy needs. `secrets` is the key of `secrets`."
  type = object({
    input   = optional(string)
    output  = optional(string)
    code    = optional(string)
    queues  = optional(string)
    topics  = optional(string)
    table   = optional(string)
    logs    = optional(string)
    secrets = optional(string)
  })
  default = {}

  # A policy allows a key by its ARN. That of an alias allows nothing.
  # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
  validation {
    condition     = alltrue([for key in values(var.kms_keys) : key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", key))])
    error_message = "Expected the ARNs of keys: arn:aws:kms:REGION:ACCOUNT:key/ID. The ARN of an alias allows nothing."
  }
}

variable "permissions_boundary" {
  description = "The ARN of the policy that limits the permissions of every role (permissions boundary)."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "Expected the ARN of a policy: arn:aws:iam::ACCOUNT:policy/NAME."
  }
}

variable "extra_statements" {
  description = "Further permissions of the functions, beside those that they need: a policy statement by name (letters and digits). `conditions` holds IAM's operators, with the allowed values of each key."
  type = map(object({
    actions    = list(string)
    resources  = list(string)
    conditions = optional(map(map(list(string))), {})
  }))
  default = {}

  validation {
    condition     = alltrue([for sid in keys(var.extra_statements) : can(regex("^[A-Za-z0-9]+$", sid))])
    error_message = "Expected names of letters and digits for statements: IAM accepts nothing else."
  }

  validation {
    condition     = alltrue([for sid in keys(var.extra_statements) : !contains(["ReadPictures", "ListPictures", "WriteOutputs", "ListOutputs", "Records", "ListRecords", "Notices", "NoticeEvents", "NoticeMails", "Log", "ApiLog", "Queue", "Hints", "DeadLetters", "Pictures", "Bin", "InputKey", "OutputKey", "QueueKey", "TopicKey", "TableKey", "SecretsKey", "UploadKey", "Network", "Traces", "Secrets", "Parameters", "Invalidations"], sid)])
    error_message = "Expected another name for the statement: the module itself uses this one."
  }
}

variable "network" {
  description = "The subnets and security groups of your own network (VPC), for the functions to run in. The functions must reach S3, DynamoDB, SQS, SNS and the pipeline's other targets, by endpoints or a NAT gateway."
  type = object({
    subnet_ids         = set(string)
    security_group_ids = set(string)
  })
  default = null

  validation {
    condition     = var.network == null || try(length(var.network.subnet_ids) > 0 && length(var.network.security_group_ids) > 0, false)
    error_message = "Expected at least one subnet and one security group."
  }
}

variable "tracing" {
  description = "Whether AWS X-Ray traces the functions' calls."
  type        = bool
  default     = false
}

variable "secrets" {
  description = "Secrets that the functions read when they start: the ARN of a secret in Secrets Manager or of a parameter in SSM, by the name of the environment variable that gets its value."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !startswith(name, "AWS_")])
    error_message = "Expected names of capitals, digits and underscores for environment variables, not beginning with AWS_."
  }

  validation {
    condition     = alltrue([for name in keys(var.secrets) : !contains(["SOURCE_BUCKET", "SOURCE_PREFIX", "OUTPUT_BUCKET", "OUTPUT_PREFIX", "TABLE_NAME", "TABLE_KEY", "SNS_TOPIC_ARN", "DEPLOYED_AT", "QUEUE_URL", "SERVING_URL", "PAGE_FILES_URL", "DISTRIBUTION_ID"], name)])
    error_message = "Expected another name for the environment variable: the module itself sets this one."
  }

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[a-z-]+:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+|ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+)$", arn))])
    error_message = "Expected the ARN of a secret in Secrets Manager, or of a parameter in SSM."
  }
}
