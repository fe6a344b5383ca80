# renditions package -o bundle.zip, then: terraform init && terraform apply

variable "emails" {
  description = "Who hears of each picture by e-mail. AWS asks each address first."
  type        = set(string)
  default     = []
}

variable "phones" {
  description = "Who hears of each picture by SMS: +491701234567."
  type        = set(string)
  default     = []
}

module "renditions" {
  source = "../../infra/terraform"

  name    = "gallery"
  bundle  = "${path.module}/bundle.zip"
  table   = { name = "Gallery" }
  notices = { emails = var.emails, phones = var.phones }
}

output "upload_to" {
  value = module.renditions.upload_to
}
