# renditions package -o bundle.zip, then: terraform init && terraform apply

module "renditions" {
  source = "../../infra/terraform"

  bundle = "${path.module}/bundle.zip"
  table  = { name = "ImageMetadata" }
}

output "upload_to" {
  value = module.renditions.upload_to
}
