"""Claims of Infrastructure as Code (IaC)."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import MANIFEST, PROCEDURE, RECORD, judged_by, person, promise, wrong

_RESOURCES = "管理対象リソース/code 1"
_SECRETS = "Secrets管理戦略/list 1"

CLAIMS: tuple[Claim, ...] = (
    promise(
        "iac.everything",
        "Terraform必須化/text 1",
        "全てのGCPリソースをTerraformで管理（必須）",
        MANIFEST,
        judged_by("infrastructure"),
        "Resources the document uses against resources its Terraform has",
        wrong(
            "iac.not_everything",
            "the operations chapter creates the cluster by gcloud; Artifact Registry, Secret Manager, alerts, "
            "network and the state's own bucket have no module",
            "drop the gcloud creation (or import), and add the missing modules",
        ),
    ),
    promise(
        "iac.layout",
        "Terraform構成/code 1",
        "environments/",
        MANIFEST,
        judged_by("infrastructure"),
        "The files of the layout are looked for",
    ),
    promise(
        "iac.autopilot",
        _RESOURCES,
        "enable_autopilot = true",
        MANIFEST,
        judged_by("infrastructure"),
        "Read off the cluster's resource",
    ),
    promise(
        "iac.workload_pool",
        _RESOURCES,
        'workload_pool = "${var.project_id}.svc.id.goog"',
        MANIFEST,
        judged_by("infrastructure"),
        "Read off the cluster's resource, beside the provider's version",
        wrong(
            "iac.workload_pool_redundant",
            "Autopilot always has this pool; google providers before mid-2024 refuse the block beside "
            "enable_autopilot, and no provider version is pinned",
            "leave the block out, and pin the provider",
        ),
    ),
    promise(
        "iac.database.version",
        _RESOURCES,
        'database_version = "POSTGRES_15"',
        MANIFEST,
        judged_by("infrastructure"),
        "The version that the server of the recovery says it is, beside 15",
    ),
    promise(
        "iac.database.tier",
        _RESOURCES,
        'tier              = "db-custom-2-4"  # 2 vCPU, 4GB',
        MANIFEST,
        judged_by("infrastructure"),
        "The tier's name against Cloud SQL's rule db-custom-CPUS-MEGABYTES",
        wrong(
            "iac.tier_is_4_megabytes",
            "the last number is megabytes, a multiple of 256 and at least 3,840: db-custom-2-4 asks for 4 MB and "
            "is refused",
            'tier = "db-custom-2-4096"',
        ),
    ),
    promise(
        "iac.database.ha",
        _RESOURCES,
        'availability_type = "REGIONAL"',
        MANIFEST,
        judged_by("infrastructure"),
        "Read; failover itself is rehearsed with a standby (a stand-in for Cloud SQL's)",
    ),
    promise(
        "iac.database.backup",
        _RESOURCES,
        'start_time                     = "03:00"',
        MANIFEST,
        judged_by("infrastructure"),
        "Read as UTC; see erratum dr.backup_hour_is_utc",
    ),
    promise(
        "iac.database.log_retention",
        _RESOURCES,
        "transaction_log_retention_days = 7",
        MANIFEST,
        judged_by("infrastructure"),
        "7, the most of the Enterprise edition",
    ),
    promise(
        "iac.state",
        "Terraform State管理/text 1",
        "Cloud Storage + KMS暗号化",
        MANIFEST,
        judged_by("infrastructure"),
        "The backend's block",
    ),
    promise(
        "iac.state.kms",
        "Terraform State管理/code 1",
        "encryption_key = ",
        MANIFEST,
        judged_by("infrastructure"),
        "The backend's keys and their forms",
        wrong(
            "iac.state_key_is_no_kms",
            "encryption_key takes a customer-supplied key (32 bytes, base64): a KMS path there is refused",
            "kms_encryption_key = the path, and object versioning on the bucket",
        ),
    ),
    promise(
        "iac.secrets.csi",
        f"{_SECRETS}/item 1",
        "k8s Secretに自動マウント",
        PROCEDURE,
        judged_by("secret_rotation"),
        "The CSI pattern with a local provider",
        wrong(
            "iac.csi_mounts_files",
            "the driver mounts files; a Kubernetes Secret appears only by secretObjects and only while a pod mounts "
            "the volume, and the variable DB_PASSWORD is not renewed by a rotation",
            "read the mounted file, or sync by secretObjects and restart pods on rotation",
        ),
        wrong(
            "iac.csi_existing_secret",
            "the driver leaves a Secret alone that exists already: with secret.yaml applied, the pods keep the "
            "template's value whatever Secret Manager holds",
            "do not apply secret.yaml where the driver syncs app-secret (component secret-manager deletes it)",
        ),
        wrong(
            "iac.csi_rotation_gap",
            "no step for a rotation is planned: changed in place, the password keeps every running pod from the "
            "database once its sessions end, until the Secret is synced and the pods are restarted",
            "two roles in turn: prepare the idle one, publish, wait for the Secret, restart, revoke the old one",
        ),
    ),
    promise(
        "iac.secrets.tfvars",
        f"{_SECRETS}/item 2",
        "`terraform.tfvars`はgitignore、SOPS暗号化",
        RECORD,
        person("iac.secrets.csi"),
        "Looked for in the repository",
        wrong(
            "iac.ignored_or_encrypted",
            "a file that git ignores needs no SOPS, and one encrypted by SOPS is meant to be committed; the layout "
            "shows terraform.tfvars in the folder",
            "commit terraform.sops.tfvars, ignore the plain file",
        ),
    ),
    promise(
        "iac.secrets.environments",
        f"{_SECRETS}/item 3",
        "dev/staging/prod",
        MANIFEST,
        judged_by("infrastructure"),
        "One folder an environment, of the same files, differing in values only",
    ),
)
