"""What is said of a repository, to the word: of the document's own files, of a good one, of one that has nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.data import DOCUMENT
from harness.model.judgement import Judgement
from harness.model.verdict import Verdict
from harness.rehearsals.infrastructure.judge import judged
from harness.rehearsals.infrastructure.types import InfrastructureDetails, InfrastructurePlan, Repository
from tests.infrastructure import made
from tests.infrastructure.made import GOOD, UNPRINTED
from tests.rehearsal.made import by_id

PASS, FAIL, SHOWN, NONE = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED
OWN = ": read a repository of your own by --repository"
#: Claims that another's judgement answers too.
ALSO = {
    "iac.secrets.environments": ("checklist.iac.environments",),
    "iac.state.kms": ("iac.state", "checklist.iac.backend"),
    "security.scan.go_modules": ("checklist.security.scan",),
}


def said(each: Judgement) -> tuple[Verdict, str, str]:
    """The verdict, its erratum and the reason, of a judgement of the whole run that answers what it is named for."""
    assert (each.part, each.claims) == ("", (each.id, *ALSO.get(each.id, ())))
    assert each.gates == (each.verdict is not NONE)
    return each.verdict, each.erratum, each.reason


def nothing_read(*, printed: bool) -> dict[str, Judgement]:
    plan = InfrastructurePlan(tables=made.TABLES, repository="", printed=printed)
    return by_id(judged(plan, InfrastructureDetails(repository=Repository())))


IMAGES = "images: gcr.io/PROJECT_ID/tekutoko-api:latest, gcr.io/cloud-sql-connectors/cloud-sql-proxy:latest"


@pytest.mark.parametrize(
    ("claim", "verdict", "erratum", "why"),
    [
        ("iac.layout", NONE, "", "3 of 21 files of the layout are there"),
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
        ("iac.everything", SHOWN, "iac.not_everything", "without a resource: IAM, Service account, Secret Manager, "
         "Artifact Registry, Storage, KMS key of the state, Network, Alerts; made by hand: gcloud container clusters "
         "create-auto tekutoko-cluster --region=asia-northeast1 --release-channel=regular"),
        ("phase2.terraform", SHOWN, "iac.not_everything", "without a resource: IAM, Secret Manager"),
        ("cicd.trigger", SHOWN, "cicd.no_tests",
         "a push to main starts it; without a test before it, or an approval: deploy"),
        ("cicd.auth", SHOWN, "cicd.long_lived_key", "it signs in by a key that is kept as a secret"),
        ("cicd.build", SHOWN, "cicd.project_id_unset", "nobody sets PROJECT_ID, which the command uses"),
        ("strategy.versus.pipeline", PASS, "", "workflows that deploy: .github/workflows/deploy.yml"),
        ("manifest.deployment.image", SHOWN, "manifest.deployment.image_latest", IMAGES),
        ("manifest.gcr_shut_down", SHOWN, "manifest.gcr_shut_down", IMAGES),
        ("security.scan.container", SHOWN, "security.scan_needs_artifact_registry",
         "a repository of Artifact Registry is managed: no; images go to gcr.io: yes"),
        ("security.scan.go_modules", SHOWN, "security.nancy_input", "no workflow scans what is built; named: –"),
        ("operations.create_cluster", SHOWN, "operations.cluster_twice",
         "made by a command, tekutoko-cluster in asia-northeast1, and by Terraform"),
        ("operations.credentials", PASS, "", "clusters named: tekutoko-cluster (asia-northeast1)"),
    ],
)  # fmt: skip
def test_what_the_document_prints(claim: str, verdict: Verdict, erratum: str, why: str) -> None:
    assert said(made.of(DOCUMENT, printed=True)[claim]) == (verdict, erratum, why)


def test_a_good_repository_is_told_what_was_found_of_each(tmp_path: Path) -> None:
    found = made.of(made.written(tmp_path, GOOD))
    granted = "granted: roles/cloudsql.client, roles/secretmanager.secretAccessor"
    whole = "each service that the document uses has a resource"
    for claim, why in {
        "iac.layout": "21 of 21 files of the layout are there",
        "iac.secrets.environments": "environments: dev (3), staging (3), prod (3)",
        "iac.workload_pool": "the workload pool ${var.project_id}.svc.id.goog stands beside enable_autopilot",
        "security.network.private_nodes": "private nodes are asked for wherever a cluster is made",
        "iac.database.tier": "db-custom-2-4096 asks for 2 processors and 4096 MB",
        "iac.database.backup": "18:00 is read as UTC: 03:00 where the document runs, which says 03:00",
        "iac.state.kms": "each state lies in Cloud Storage, under a key of KMS (3)",
        "security.iam.cloud_sql": granted,
        "security.iam.secret_manager": granted,
        "iac.everything": whole,
        "phase2.terraform": whole,
        "cicd.build": "every variable of the command is set",
        "manifest.deployment.image": "images: asia-northeast1-docker.pkg.dev/p/api/api:1a2b3c",
        "security.scan.container": "the service containerscanning.googleapis.com is enabled: yes",
        "security.scan.go_modules": "a workflow scans what is built",
        "security.scan.dependabot": "Dependabot is configured",
        "phase2.dockerfile": "stages: Dockerfile 2",
        "operations.create_cluster": "one way alone makes the cluster",
        "operations.credentials": "clusters named: tekutoko-cluster (asia-northeast1)",
    }.items():
        assert said(found[claim]) == (PASS, "", why), claim


#: What none of the claims is kept without.
WITHOUT = {
    "resource google_container_cluster": ("iac.autopilot", "iac.workload_pool", "security.network.private_nodes"),
    "resource google_sql_database_instance": (
        "iac.database.tier", "iac.database.backup", "iac.database.log_retention",
    ),
    "grant of a role": ("security.iam.cloud_sql", "security.iam.secret_manager"),
    "workflow that deploys": ("cicd.trigger", "cicd.auth", "cicd.build", "strategy.versus.pipeline"),
    "configuration of Dependabot": ("security.scan.dependabot",),
    "Dockerfile": ("phase2.dockerfile",),
    "command or resource that makes the cluster": ("operations.create_cluster",),
    "command gcloud container clusters get-credentials": ("operations.credentials",),
}  # fmt: skip
#: Of these each claim is told alone, also one that else stands beside another.
APART = {
    "backend of Terraform's state": ("iac.state.kms", "iac.state", "checklist.iac.backend"),
    "workflow": ("security.scan.go_modules", "checklist.security.scan"),
}


@pytest.mark.parametrize(("what", "claims"), [*WITHOUT.items(), *APART.items()])
def test_without_a_thing_each_claim_on_it_says_what_is_missing(what: str, claims: tuple[str, ...]) -> None:
    """The document may leave it out, and what it prints is gone then; somebody's own repository has it not."""
    printed, own = nothing_read(printed=True), nothing_read(printed=False)
    for claim in claims:
        missing = own[claim]
        assert missing.claims == (claim,)
        assert (claim in printed) == (claim in UNPRINTED)
        if claim in printed:
            assert said(printed[claim]) == (NONE, "", f"the document prints no {what}{OWN}")
        assert (missing.part, missing.verdict, missing.reason) == ("", FAIL, f"there is no {what}")


def test_of_a_repository_without_files_what_needs_none_is_judged_all_the_same() -> None:
    for printed, verdict in ((True, SHOWN), (False, FAIL)):
        found = nothing_read(printed=printed)
        assert said(found["security.scan.container"]) == (
            verdict, "security.scan_needs_artifact_registry",
            "a repository of Artifact Registry is managed: no; images go to gcr.io: no",
        )  # fmt: skip
        assert ("manifest.deployment.image" in found) is not printed, "the document's own manifests have one"
        assert said(found["phase2.terraform"]) == (
            verdict, "iac.not_everything", "without a resource: GKE Autopilot, Cloud SQL, IAM, Secret Manager",
        )  # fmt: skip
    assert said(found["manifest.deployment.image"]) == (NONE, "", "there is no Deployment: manifests may lie elsewhere")
