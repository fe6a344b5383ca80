# `renditions deploy` wrote this file once and won't change it again, so you can edit it. module/README.md
# lists all inputs of the module.

module "renditions" {
  source = "./module"

  name          = var.pipeline.name
  bundle        = "${path.module}/bundle.zip"
  function      = { architecture = var.pipeline.architecture, python = var.pipeline.python }
  input         = { bucket = var.pipeline.input_bucket, prefix = var.pipeline.input_prefix }
  output        = { bucket = var.pipeline.output_bucket, prefix = var.pipeline.output_prefix, cors_origins = var.pipeline.cors_origins }
  trigger       = var.pipeline.input_bucket == null ? "sqs" : "eventbridge"
  table         = { name = var.pipeline.table, key = var.pipeline.table_key }
  keep_pictures = var.keep_pictures

  notices = {
    event_buses  = var.pipeline.event_buses
    mail_senders = var.pipeline.mail_senders
    # emails     = ["me@example.com"]
  }
}

variable "pipeline" {
  description = "Values of the pipeline file. `renditions deploy` writes them to pipeline.auto.tfvars.json."
  type = object({
    name          = string
    architecture  = string
    python        = string
    input_bucket  = optional(string)
    input_prefix  = string
    output_bucket = optional(string)
    output_prefix = string
    cors_origins  = set(string)
    table         = string
    table_key     = string
    event_buses   = set(string)
    mail_senders  = set(string)
  })
}

variable "keep_pictures" {
  description = "Whether to protect pictures and records. `renditions destroy --pictures` sets it to false."
  type        = bool
  default     = true
}

output "upload_to" {
  value = module.renditions.upload_to
}

output "output_bucket" {
  value = module.renditions.output_bucket
}

output "table" {
  value = module.renditions.table
}

# For `renditions worker` and `renditions dlq` with --from-terraform.
output "environment" {
  value = module.renditions.environment
}

output "dead_letter_queue_url" {
  value = module.renditions.dead_letter_queue_url
}
