"""What is said of a repository: of the document's own files, of a good one, of one that has nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.data import DOCUMENT
from harness.model.judgement import Judgement, Verdict
from harness.rehearsals.infrastructure.types import Repository
from tests.infrastructure import made
from tests.infrastructure.made import GOOD, UNPRINTED

PASS, FAIL, SHOWN, NONE = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED
OWN = ": read a repository of your own by --repository"
#: Claims that another's judgement answers too.
ALSO = {
    "iac.secrets.environments": ("checklist.iac.environments",),
    "iac.state.kms": ("iac.state", "checklist.iac.backend"),
    "security.scan.go_modules": ("checklist.security.scan",),
}


def says(each: Judgement, verdict: Verdict, erratum: str, why: str) -> None:
    """Asserts that of a judgement of the whole run that answers what it is named for; ``why`` is in its reason."""
    assert (each.part, each.claims) == ("", (each.id, *ALSO.get(each.id, ())))
    assert each.gates == (each.verdict is not NONE)
    assert (each.verdict, each.erratum) == (verdict, erratum), each.reason
    assert why in each.reason, each.reason


IMAGES = "images: gcr.io/PROJECT_ID/tekutoko-api:latest, gcr.io/cloud-sql-connectors/cloud-sql-proxy:latest"


@pytest.mark.parametrize(
    ("claim", "verdict", "erratum", "why"),
    [
        ("iac.layout", NONE, "", "18 of 21 files of the layout are not printed"),
        ("iac.secrets.environments", NONE, "", "environments: dev (0), staging (0), prod (1)"),
        ("iac.autopilot", PASS, "", "enable_autopilot is true"),
        ("iac.workload_pool", PASS, "", "the workload pool ${var.project_id}.svc.id.goog stands beside enable_autopilot"),
        ("security.network.private_nodes", SHOWN, "security.private_nodes_not_asked_for",
         "neither every resource nor every command that makes a cluster asks for private nodes"),
        ("iac.database.tier", SHOWN, "iac.tier_is_4_megabytes", "db-custom-2-4 asks for 2 processors and 4 MB; "
         "Cloud SQL refuses it: a multiple of 256 MB, from 3840 MB"),
        ("iac.database.backup", SHOWN, "dr.backup_hour_is_utc",
         "03:00 is read as UTC: 12:00 where the document runs, which says 03:00"),
        ("iac.database.log_retention", PASS, "", "7 days of logs; Cloud SQL keeps 1 to 7"),
        ("iac.state.kms", SHOWN, "iac.state_key_is_no_kms", "backend/deploy/terraform/environments/prod/backend.tf: "
         "backend gcs, encrypted by the path of a key of KMS, as if it were the key itself; "
         "encryption_key takes 32 bytes in base64: a path of KMS is refused there"),
        ("iac.everything", SHOWN, "iac.not_everything", "without a resource: 8 (IAM, Service account, Secret Manager, "
         "Artifact Registry, Storage, KMS key of the state, Network, Alerts); 0 is wanted; what is made by hand: 1 (gcloud "
         "container clusters create-auto tekutoko-cluster --region=asia-northeast1 --release-channel=regular)"),
        ("phase2.terraform", SHOWN, "iac.not_everything", "without a resource: 2 (IAM, Secret Manager)"),
        ("cicd.trigger", SHOWN, "cicd.no_tests",
         "without a test before it, or an approval: 1 of 1 (jobs: deploy)"),
        ("cicd.auth", SHOWN, "cicd.long_lived_key", "sign-ins by a key that is kept as a secret: 1"),
        ("cicd.build", SHOWN, "cicd.project_id_unset", "uses of PROJECT_ID, which nobody sets: 1"),
        ("strategy.versus.pipeline", PASS, "", "workflows that deploy: 1 (.github/workflows/deploy.yml)"),
        ("manifest.deployment.image", SHOWN, "manifest.deployment.image_latest", IMAGES),
        ("manifest.gcr_shut_down", SHOWN, "manifest.gcr_shut_down", "1 of 2 (gcr.io/PROJECT_ID/tekutoko-api:latest)"),
        ("security.scan.container", SHOWN, "manifest.gcr_shut_down",
         "a repository of Artifact Registry is managed: no; images go to gcr.io: yes"),
        ("security.scan.go_modules", SHOWN, "security.nancy_input", "scans of what is built that are missing: 1 of 1 (named: –)"),
        ("operations.create_cluster", SHOWN, "operations.cluster_twice",
         "ways that make the cluster: 2 (tekutoko-cluster in asia-northeast1, Terraform)"),
        ("operations.credentials", PASS, "", "clusters named: 1 (tekutoko-cluster (asia-northeast1))"),
    ],
)  # fmt: skip
def test_what_the_document_prints(claim: str, verdict: Verdict, erratum: str, why: str) -> None:
    says(made.of(DOCUMENT, printed=True)[claim], verdict, erratum, why)


def test_a_good_repository_is_told_what_was_found_of_each(tmp_path: Path) -> None:
    found = made.of(made.written(tmp_path, GOOD))
    granted = "granted: roles/cloudsql.client, roles/secretmanager.secretAccessor"
    whole = "what the document uses, without a resource: 0"
    for claim, why in {
        "iac.layout": "files of the layout that are missing: 0 of 21",
        "iac.secrets.environments": "environments without a file: 0 of 3 (dev (3), staging (3), prod (3))",
        "iac.workload_pool": "the workload pool ${var.project_id}.svc.id.goog stands beside enable_autopilot",
        "security.network.private_nodes": "private nodes are asked for wherever a cluster is made",
        "iac.database.tier": "db-custom-2-4096 asks for 2 processors and 4096 MB",
        "iac.database.backup": "18:00 is read as UTC: 03:00 where the document runs, which says 03:00",
        "iac.state.kms": "states that are not in Cloud Storage under a key of KMS: 0 of 3",
        "security.iam.cloud_sql": granted,
        "security.iam.secret_manager": granted,
        "iac.everything": whole,
        "phase2.terraform": whole,
        "cicd.build": "variables of the command that nobody sets: 0",
        "manifest.deployment.image": "images: asia-northeast1-docker.pkg.dev/p/api/api:1a2b3c",
        "security.scan.container": "the service containerscanning.googleapis.com is enabled: yes",
        "security.scan.go_modules": "scans of what is built that are missing: 0 of 1",
        "security.scan.dependabot": "configurations of Dependabot: 1",
        "phase2.dockerfile": "Dockerfiles of one stage: 0 of 1 (Dockerfile 2)",
        "operations.create_cluster": "ways that make the cluster: 1 (Terraform)",
        "operations.credentials": "clusters named: 1 (tekutoko-cluster (asia-northeast1))",
    }.items():
        says(found[claim], PASS, "", why)


#: What none of the claims is kept without; and as the document, which prints none of it, is told.
WITHOUT = {
    "resources google_container_cluster: 0": ("iac.autopilot", "iac.workload_pool", "security.network.private_nodes"),
    "resources google_sql_database_instance: 0": (
        "iac.database.tier", "iac.database.backup", "iac.database.log_retention",
    ),
    "grants of a role: 0": ("security.iam.cloud_sql", "security.iam.secret_manager"),
    "workflows that deploy: 0": ("cicd.trigger", "cicd.auth", "cicd.build", "strategy.versus.pipeline"),
    "configurations of Dependabot: 0": ("security.scan.dependabot",),
    "Dockerfiles: 0": ("phase2.dockerfile",),
    "ways that make the cluster: 0": ("operations.create_cluster",),
    "commands gcloud container clusters get-credentials: 0": ("operations.credentials",),
    "backends of Terraform's state: 0": ("iac.state.kms",),
    "steps of workflows: 0": ("security.scan.go_modules",),
}  # fmt: skip


@pytest.mark.parametrize(("what", "claims"), WITHOUT.items())
def test_without_a_thing_each_claim_on_it_says_what_is_missing(what: str, claims: tuple[str, ...]) -> None:
    """The document may leave it out, and what it prints is gone then; somebody's own repository has it not."""
    printed, own = made.of_read(Repository(), printed=True), made.of_read(Repository())
    for claim in claims:
        says(own[claim], FAIL, "", what)
        assert (claim in printed) == (claim in UNPRINTED)
        if claim in printed:
            says(printed[claim], NONE, "", OWN)


def test_of_a_repository_without_files_what_needs_none_is_judged_all_the_same() -> None:
    for printed, verdict in ((True, SHOWN), (False, FAIL)):
        found = made.of_read(Repository(), printed=printed)
        says(
            found["security.scan.container"], verdict, "manifest.gcr_shut_down",
            "a repository of Artifact Registry is managed: no; images go to gcr.io: no",
        )  # fmt: skip
        assert ("manifest.deployment.image" in found) is not printed, "the document's own manifests have one"
        says(
            found["phase2.terraform"], verdict, "iac.not_everything",
            "without a resource: 4 (GKE Autopilot, Cloud SQL, IAM, Secret Manager)",
        )  # fmt: skip
    says(found["manifest.deployment.image"], NONE, "", "there is no Deployment: manifests may lie elsewhere")
