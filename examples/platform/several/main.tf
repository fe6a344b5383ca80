# One deployment for each pipeline file. In examples/platform, for each of the names:
# renditions package -p shop.toml -o several/shop.zip
# Then, here: terraform init && terraform apply

module "renditions" {
  source   = "../../../infra/terraform"
  for_each = toset(["archive", "medical", "shop", "social"])

  name   = "pictures-${each.key}"
  bundle = "${path.module}/${each.key}.zip"
}

output "upload_to" {
  value = { for name, deployment in module.renditions : name => deployment.upload_to }
}
