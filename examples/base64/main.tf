# renditions package -o bundle.zip, then: terraform init && terraform apply

module "renditions" {
  source = "../../infra/terraform"

  name     = "base64"
  bundle   = "${path.module}/bundle.zip"
  function = { memory_mb = 256, timeout_seconds = 30 }
  trigger  = "direct"
  output   = { prefix = "" }
  table    = { name = "ImageRecords", key = "image_id" } # by-name.toml: key = "image_name"
}

output "upload_to" {
  value = module.renditions.upload_to
}

output "dead_letter_queue_url" {
  value = module.renditions.dead_letter_queue_url
}
