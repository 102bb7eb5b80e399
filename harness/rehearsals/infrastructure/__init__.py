"""What the manifests are not: Terraform, workflows, and the cluster's commands, read against what the document says."""
