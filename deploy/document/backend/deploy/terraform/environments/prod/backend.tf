# environments/prod/backend.tf
terraform {
  backend "gcs" {
    bucket = "tekutoko-terraform-state"
    prefix = "prod/state"

    # KMS暗号化
    encryption_key = "projects/PROJECT_ID/locations/asia-northeast1/keyRings/terraform/cryptoKeys/state"
  }
}
