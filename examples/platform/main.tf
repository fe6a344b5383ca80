# renditions package -o bundle.zip, then: terraform init && terraform apply

module "renditions" {
  source = "../../infra/terraform"

  name     = "platform"
  bundle   = "${path.module}/bundle.zip"
  trigger  = "eventbridge"
  input    = { prefix = "uploads/" }
  table    = { name = "Pictures" }
  function = { memory_mb = 3008 }
}

output "upload_to" {
  value = module.renditions.upload_to
}

output "table" {
  value = module.renditions.table
}
