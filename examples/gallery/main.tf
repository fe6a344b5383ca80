# renditions package -o bundle.zip, then: terraform init && terraform apply

variable "emails" {
  description = "The e-mail addresses that get a notice about each picture. AWS asks each to confirm."
  type        = set(string)
  default     = []
}

variable "phones" {
  description = "The telephone numbers that get a notice about each picture: +491701234567."
  type        = set(string)
  default     = []
}

module "renditions" {
  source = "../../infra/terraform"

  name   = "gallery"
  bundle = "${path.module}/bundle.zip"
  table  = { name = "Gallery" }

  notices = {
    emails       = var.emails
    email_events = ["done", "rejected", "failed"]
    phones       = var.phones
    phone_events = ["done", "rejected", "failed"]
  }
}

output "upload_to" {
  value = module.renditions.upload_to
}
