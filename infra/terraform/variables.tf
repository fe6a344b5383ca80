variable "name" {
  description = "Prefix of the name of every resource."
  type        = string
  default     = "renditions"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "Expected 3 to 32 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "bundle" {
  description = "The path of the zip that `renditions package` made. It holds the pipeline file."
  type        = string

  validation {
    condition     = endswith(var.bundle, ".zip")
    error_message = "Expected the path of a .zip file."
  }
}

variable "function" {
  description = "The function's processor, Python version, memory and time limit; the processor and version must be those that the bundle was made for. `reserved_concurrency`: how many calls may run at once (null: as many as the account allows). `queue_concurrency`: how many calls the queue may cause at once, 2 to 1000 (null: what `reserved_concurrency` allows beside the schedule). `recursion`: whether a tick may go on in more than some sixteen calls; false leaves Lambda's detection of recursive loops on."
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
  description = "The bucket and prefix that pictures are uploaded to. Without a bucket name the module creates a bucket. It doesn't change an existing one, whose events must already go to EventBridge."
  type = object({
    bucket = optional(string)
    prefix = optional(string, "")
  })
  default = {}

  validation {
    condition     = var.input.prefix == "" || endswith(var.input.prefix, "/")
    error_message = "Expected a prefix that is empty or ends with a slash."
  }
}

variable "output" {
  description = "The bucket and prefix that renditions go to. Without a bucket name the module creates a bucket."
  type = object({
    bucket = optional(string)
    prefix = optional(string, "processed/")
  })
  default = {}

  validation {
    condition     = var.output.prefix == "" || endswith(var.output.prefix, "/")
    error_message = "Expected a prefix that is empty or ends with a slash."
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
  description = "The DynamoDB table of the records, and its partition key's name: that of [catalog] in the pipeline file."
  type = object({
    name = optional(string, "ImageMetadata")
    key  = optional(string, "image_name")
  })
  default = {}

  validation {
    condition     = contains(["image_name", "image_id"], var.table.key) || can(regex("^[A-Za-z_][A-Za-z0-9_]*$", var.table.key))
    error_message = "Expected a name of letters, digits and underscores."
  }
}

variable "notices" {
  description = "Who gets notices about finished, rejected and failed pictures and alarms: e-mail addresses, telephone numbers (+491701234567), and whether EventBridge does."
  type = object({
    emails      = optional(set(string), [])
    phones      = optional(set(string), [])
    eventbridge = optional(bool, false)
  })
  default = {}

  validation {
    condition     = alltrue([for phone in var.notices.phones : can(regex("^\\+[1-9][0-9]{6,14}$", phone))])
    error_message = "Expected telephone numbers as +491701234567."
  }

  validation {
    condition     = alltrue([for email in var.notices.emails : can(regex("^[^@\\s]+@[^@\\s]+$", email))])
    error_message = "Expected e-mail addresses."
  }
}

variable "api" {
  description = "The API behind an HTTP API: the path of the zip that `renditions package --api` made, and who may call it. With `jwt`: callers with a token of this issuer for one of these audiences. Without: callers that sign with IAM. null for no API."
  type = object({
    bundle = string
    jwt = optional(object({
      issuer    = string
      audiences = set(string)
    }))
  })
  default = null

  validation {
    condition     = var.api == null || try(endswith(var.api.bundle, ".zip"), false)
    error_message = "Expected the path of a .zip file."
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
  description = "How long the function's log is kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Expected a number of days that CloudWatch Logs knows, such as 7, 30 or 365."
  }
}

variable "keep_pictures" {
  description = "Whether `terraform destroy` stops at buckets that aren't empty. Only false ever deletes pictures."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
