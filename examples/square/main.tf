# renditions package -o bundle.zip, then: terraform init && terraform apply

module "renditions" {
  source = "../../infra/terraform"

  name   = "squares"
  bundle = "${path.module}/bundle.zip"
  output = { prefix = "" }
  table  = { name = "Squares" }
}

output "upload_to" {
  value = module.renditions.upload_to
}

# What the function may do, for the person who has to approve it.
output "policy" {
  value = module.renditions.policy
}
