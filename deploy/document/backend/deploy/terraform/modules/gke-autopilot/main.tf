# modules/gke-autopilot/main.tf
resource "google_container_cluster" "primary" {
  name     = var.cluster_name
  location = var.region

  # Autopilot有効化
  enable_autopilot = true

  # Workload Identity有効化
  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }
}
