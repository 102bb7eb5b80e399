"""What is read of the document's own files, and a repository whose every claim is kept."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import DOCUMENT, KUBERNETES
from harness.model.judgement import Judgement
from harness.rehearsals.infrastructure.reading import read
from harness.rehearsals.infrastructure.rehearsal import REHEARSAL
from harness.rehearsals.infrastructure.types import (
    InfrastructureDetails,
    InfrastructurePlan,
    InfrastructureTables,
    Repository,
)
from tests.rehearsal.made import by_id, seen

TABLES = planfile.bundled("infrastructure", InfrastructureTables)
PRINTED = InfrastructurePlan(tables=TABLES, repository=str(DOCUMENT), printed=True)

MANIFESTS = KUBERNETES / "document"
#: What the document prints nothing of.
UNPRINTED = {
    "iac.layout", "iac.secrets.environments", "security.iam.cloud_sql", "security.iam.secret_manager",
    "security.scan.dependabot", "phase2.dockerfile",
}  # fmt: skip

CLUSTER = """
resource "google_container_cluster" "primary" {
  name             = "tekutoko-cluster"
  enable_autopilot = true
  private_cluster_config {
    enable_private_nodes = true
  }
  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }
}
"""
DATABASE = """
resource "google_sql_database_instance" "main" {
  database_version = "POSTGRES_15"
  settings {
    tier              = "db-custom-2-4096"
    availability_type = "REGIONAL"
    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      start_time                     = "18:00"
      transaction_log_retention_days = 7
    }
  }
}
"""
BACKEND = """
terraform {
  backend "gcs" {
    bucket             = "state"
    kms_encryption_key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
  }
}
"""
ROLES = """
resource "google_service_account" "api" { account_id = "api" }
resource "google_project_iam_member" "api" {
  for_each = toset(["roles/cloudsql.client", "roles/secretmanager.secretAccessor"])
  role     = each.value
}
"""
REST = """
resource "google_secret_manager_secret" "db" { secret_id = "db" }
resource "google_artifact_registry_repository" "api" { repository_id = "api" }
resource "google_project_service" "scan" { service = "containerscanning.googleapis.com" }
resource "google_storage_bucket" "state" { name = "state" }
resource "google_kms_crypto_key" "state" { name = "state" }
resource "google_compute_network" "main" { name = "main" }
resource "google_monitoring_alert_policy" "errors" { display_name = "errors" }
"""
WORKFLOW = """
on:
  push:
    branches: [main]
env:
  PROJECT_ID: ${{ vars.PROJECT_ID }}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: |
          go test ./...
          govulncheck ./...
  deploy:
    needs: test
    runs-on: ubuntu-latest
    steps:
      - uses: google-github-actions/auth@v2
        with:
          workload_identity_provider: ${{ vars.PROVIDER }}
          service_account: deploy@example.com
      - uses: google-github-actions/get-gke-credentials@v2
        with:
          cluster_name: tekutoko-cluster
          location: asia-northeast1
      - run: |
          TAG=asia-northeast1-docker.pkg.dev/$PROJECT_ID/api/api:$GITHUB_SHA
          gcloud builds submit --tag $TAG
      - run: kubectl set image deployment/tekutoko-api api=$PROJECT_ID
"""
DEPLOYMENT = """
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: api
        image: asia-northeast1-docker.pkg.dev/p/api/api:1a2b3c
"""
CREDENTIALS = "gcloud container clusters get-credentials tekutoko-cluster \\\n  --region=asia-northeast1\n"
_LAYOUT = TABLES.layout
_EMPTY = {
    f"terraform/{kind}/{name}/{file}": ""
    for kind, names, files in (
        ("environments", _LAYOUT.environments, _LAYOUT.environment_files),
        ("modules", _LAYOUT.modules, _LAYOUT.module_files),
    )
    for name in names
    for file in files
}
GOOD = {
    **_EMPTY,
    "terraform/modules/gke-autopilot/main.tf": CLUSTER,
    "terraform/modules/cloud-sql/main.tf": DATABASE,
    "terraform/environments/dev/backend.tf": BACKEND,
    "terraform/environments/staging/backend.tf": BACKEND,
    "terraform/environments/prod/backend.tf": BACKEND,
    "terraform/modules/iam/main.tf": ROLES,
    "terraform/modules/firebase-storage/main.tf": REST,
    ".github/workflows/deploy.yml": WORKFLOW,
    ".github/dependabot.yml": "version: 2\nupdates:\n- package-ecosystem: gomod\n  directory: /\n",
    "deploy/deployment.yaml": DEPLOYMENT,
    "setup.sh": CREDENTIALS,
    "Dockerfile": "FROM golang AS build\nFROM scratch\n",
}


def written(folder: Path, files: dict[str, str]) -> Path:
    """``files`` by their path, below ``folder``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def details() -> InfrastructureDetails:
    """Of what the document prints."""
    return InfrastructureDetails(repository=read(DOCUMENT, MANIFESTS))


def of(repository: Path, *, printed: bool = False) -> dict[str, Judgement]:
    """What is said of what is read of ``repository``."""
    return of_read(read(repository, MANIFESTS if printed else None), printed=printed)


def of_read(found: Repository, *, printed: bool = False, tables: InfrastructureTables = TABLES) -> dict[str, Judgement]:
    """The same where that was read."""
    plan = InfrastructurePlan(tables=tables, repository="", printed=printed)
    return by_id(REHEARSAL.by_rules(plan, seen(InfrastructureDetails(repository=found))))
