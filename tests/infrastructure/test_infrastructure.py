"""A repository is read as it stands: the document's own errata are shown, a good one passes, each mistake fails."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from harness.base.data import DOCUMENT
from harness.base.errors import BadInput
from harness.cli.main import parse
from harness.model.judgement import Verdict
from harness.rehearsals.infrastructure.reading import read
from harness.rehearsals.infrastructure.rehearsal import CLAIMS, REHEARSAL
from harness.rehearsals.infrastructure.types import Repository, Sla
from harness.rehearsals.infrastructure.workflow import branches, starts
from tests.infrastructure import made
from tests.infrastructure.made import BACKEND, CLUSTER, DATABASE, DEPLOYMENT, GOOD, REST, ROLES, UNPRINTED, WORKFLOW
from tests.register import REGISTER
from tests.scenarios.document import seed_text

PASSES = {
    "iac.autopilot", "iac.workload_pool", "iac.database.version", "iac.database.ha", "iac.database.log_retention",
    "strategy.versus.pipeline", "operations.credentials",
}  # fmt: skip
MAIN = "terraform/modules/gke-autopilot/main.tf"
SQL = "terraform/modules/cloud-sql/main.tf"
BEFORE = ".github/workflows/a.yml"
OTHER = "terraform/modules/cloud-sql/other.tf"
STATE = "terraform/environments/prod/backend.tf"
FLOW = ".github/workflows/deploy.yml"
IAM = "terraform/modules/iam/main.tf"
STANDARD = re.sub(r"  enable_autopilot.*\n|  workload_identity_config \{\n.*\n  \}\n", "", CLUSTER)
#: The roles are named, and another is granted.
CONDITION = """
resource "google_project_iam_member" "other" {
  role   = "roles/viewer"
  member = "serviceAccount:api@example.com"
  condition {
    title      = "not roles/cloudsql.client"
    expression = "resource.name != 'roles/secretmanager.secretAccessor'"
  }
}
"""
POLICY = """
resource "google_project_iam_policy" "all" {
  policy_data = data.google_iam_policy.all.policy_data
}
"""
#: The cluster is named by variables of the workflow.
BY_ENV = (
    WORKFLOW.replace("cluster_name: tekutoko-cluster", "cluster_name: ${{ env.CLUSTER }}")
    .replace("location: asia-northeast1", "location: ${{ env.REGION }}")
    .replace("env:\n", "env:\n  CLUSTER: tekutoko-cluster\n  REGION: asia-northeast1\n", 1)
)


def test_what_the_document_prints_is_wrong_as_the_register_says() -> None:
    found = made.of(DOCUMENT, printed=True)
    assert {name for name, each in found.items() if each.verdict is Verdict.PASS} == PASSES
    assert {name for name, each in found.items() if each.verdict is Verdict.NOT_EXERCISED} == UNPRINTED
    others = {name: each for name, each in found.items() if name not in PASSES | UNPRINTED}
    assert {each.verdict for each in others.values()} == {Verdict.ERRATUM_SHOWN}
    for each in others.values():
        owners = [claim.id for claim in REGISTER.values() if each.erratum in {one.id for one in claim.errata}]
        assert owners, each.erratum
    assert {claim for each in found.values() for claim in each.claims} == {
        *CLAIMS, "manifest.gcr_shut_down",
    } - {""}  # fmt: skip
    assert {claim for _, claim in REHEARSAL.claims(made.PRINTED)} == {*CLAIMS}


@pytest.mark.parametrize(
    ("promises", "verdict", "product"),
    [
        ((0.9995,), Verdict.PASS, "99.95%"),  # just what is printed
        ((0.9999, 0.9998), Verdict.PASS, "99.97%"),
        ((0.999, 0.9995), Verdict.ERRATUM_SHOWN, "99.85%"),
    ],
)
def test_promises_in_series_carry_what_they_come_to(
    promises: tuple[float, ...], verdict: Verdict, product: str
) -> None:
    of = made.TABLES.availability
    assert of.printed == 0.9995
    parts = tuple(Sla(part=f"p{number}", promise=promise) for number, promise in enumerate(promises))
    tables = msgspec.structs.replace(made.TABLES, availability=msgspec.structs.replace(of, parts=parts))
    found = made.of_read(Repository(), tables=tables)
    each = ", ".join(f"p{number} {promise:.2%}" for number, promise in enumerate(promises))
    told = f"{each}: {product} in series; the document prints 99.95% and requires 99.90%"
    sla = found["requirements.availability_sla"]
    assert (sla.verdict, sla.claims) == (verdict, ("requirements.availability_sla",)) and told in sla.reason


#: Every claim on a workflow that deploys, and a job of it.
DEPLOYING = ("cicd.trigger", "cicd.auth", "cicd.build", "strategy.versus.pipeline")
BY_KEY = WORKFLOW.replace("workload_identity_provider", "credentials_json")
SECOND = WORKFLOW[WORKFLOW.index("  deploy:") :].replace("  deploy:", "  again:")


@pytest.mark.parametrize(
    ("text", "claim", "verdict", "why"),
    [
        (WORKFLOW, "cicd.trigger", "pass", "a push to main starts it"),
        (WORKFLOW.replace("[main]", "[main, next]"), "cicd.trigger", "pass", "a push to main, next starts it"),
        (WORKFLOW.replace("[main]", "[next, other]"), "cicd.trigger", "fail", "a push to next, other starts it"),
        (WORKFLOW.replace("    branches: [main]\n", "    tags: [v1]\n"), "cicd.trigger", "fail",
         "a push to – starts it"),
        ((WORKFLOW + SECOND).replace("needs: test", ""), "cicd.trigger", "fail",
         "without a test before it, or an approval: 1 of 1 (jobs: deploy, again)"),
        (WORKFLOW, "cicd.auth", "pass", "sign-ins neither by a key nor by Workload Identity: 0"),
        (BY_KEY, "cicd.auth", "fail", "sign-ins by a key that is kept as a secret: 1"),
        (BY_KEY.replace("credentials_json", "project_id"), "cicd.auth", "fail",
         "sign-ins neither by a key nor by Workload Identity: 1"),
        (WORKFLOW.replace("google-github-actions/auth@v2", "other/auth@v2"), "cicd.auth", "fail",
         "sign-ins neither by a key nor by Workload Identity: 1"),
        (WORKFLOW, "strategy.versus.pipeline", "pass", f"workflows that deploy: 1 ({FLOW})"),
    ],
)  # fmt: skip
def test_what_a_workflow_that_deploys_does_is_told_to_the_word(
    tmp_path: Path, text: str, claim: str, verdict: str, why: str
) -> None:
    found = made.of(made.written(tmp_path, GOOD | {FLOW: text}))[claim]
    assert (found.part, found.claims, found.verdict) == ("", (claim,), verdict) and why in found.reason, found.reason


def test_two_workflows_that_deploy_are_both_named(tmp_path: Path) -> None:
    found = made.of(made.written(tmp_path, GOOD | {BEFORE: WORKFLOW}))["strategy.versus.pipeline"]
    assert found.verdict is Verdict.FAIL and f"workflows that deploy: 2 ({BEFORE}, {FLOW})" in found.reason


@pytest.mark.parametrize(
    "command",
    [
        "kubectl -n prod set image deployment/tekutoko-api api=x", "kubectl --namespace=prod apply -f k8s/",
        "kubectl \\\n            --context prod apply -k k8s", "kubectl replace -f k8s/", "helm install api chart/",
        "skaffold run", "gcloud deploy releases create r1 --delivery-pipeline=api",
    ],
)  # fmt: skip
def test_a_second_way_to_deploy_is_seen_however_it_is_typed(tmp_path: Path, command: str) -> None:
    """Without a test before it, too."""
    other = f"on:\n  push:\n    branches: [main]\njobs:\n  ship:\n    steps:\n      - run: |\n          {command}\n"
    found = made.of(made.written(tmp_path, GOOD | {BEFORE: other}))
    assert f"workflows that deploy: 2 ({BEFORE}, {FLOW})" in found["strategy.versus.pipeline"].reason
    assert (found["cicd.trigger"].verdict, "ship" in found["cicd.trigger"].reason) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    "command", ["kubectl get pods | grep apply", "kubectl get nodes; echo apply", "helm lint chart"]
)
def test_what_changes_nothing_deploys_nothing(tmp_path: Path, command: str) -> None:
    other = f"on:\n  push:\n    branches: [main]\njobs:\n  look:\n    steps:\n      - run: {command}\n"
    assert made.of(made.written(tmp_path, GOOD | {BEFORE: other}))["strategy.versus.pipeline"].verdict is Verdict.PASS


def test_without_a_workflow_that_deploys_nothing_of_one_is_kept(tmp_path: Path) -> None:
    only_tests = WORKFLOW[: WORKFLOW.index("  deploy:")]
    found = made.of(made.written(tmp_path, GOOD | {FLOW: only_tests}))
    assert {found[claim].verdict for claim in DEPLOYING} == {Verdict.FAIL}
    assert all("workflows that deploy: 0" in found[claim].reason for claim in DEPLOYING)


@pytest.mark.document
def test_the_files_are_the_document_s() -> None:
    printed = "\n".join(re.findall(r"^```\w+\n(.*?)^```", seed_text(), re.MULTILINE | re.DOTALL))
    files = [path for path in DOCUMENT.rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        assert path.read_text("utf-8").strip() in printed, path


def test_a_repository_that_has_everything(tmp_path: Path) -> None:
    found = made.of(made.written(tmp_path, GOOD))
    others = {name: each.verdict for name, each in found.items() if each.verdict is not Verdict.PASS}
    assert others == {
        "requirements.availability_sla": Verdict.ERRATUM_SHOWN, "manifest.gcr_shut_down": Verdict.NOT_EXERCISED,
    }  # fmt: skip
    assert found["requirements.availability_sla"].erratum == "requirements.sla_of_control_plane"


@pytest.mark.parametrize(
    ("name", "text", "claim", "verdict", "words"),
    [
        (MAIN, CLUSTER.replace("= true", "= false", 1), "iac.autopilot", "fail", "enable_autopilot is false"),
        (MAIN, CLUSTER.replace("nodes = true", "nodes = false"), "security.network.private_nodes", "fail", ""),
        (SQL, DATABASE.replace("REGIONAL", "ZONAL"), "iac.database.ha", "fail", "ZONAL"),
        (SQL, DATABASE.replace("availability_type", "# availability_type"), "iac.database.ha", "fail", "–"),
        (SQL, DATABASE.replace("REGIONAL", "${var.ha}"), "iac.database.ha", "inconclusive", "not read"),
        (SQL, DATABASE.replace("POSTGRES_15", "POSTGRES_14"), "iac.database.version", "fail", "POSTGRES_14"),
        (SQL, DATABASE.replace("2-4096", "2-4000"), "iac.database.tier", "fail", "4000 MB"),
        (SQL, DATABASE.replace("2-4096", "3-4096"), "iac.database.tier", "fail", "3 processors"),
        (SQL, DATABASE.replace("custom-2-4096", "f1-micro"), "iac.database.tier", "inconclusive", "db-f1-micro"),
        (SQL, DATABASE.replace("18:00", "25:00"), "iac.database.backup", "fail", "25:00"),
        (SQL, DATABASE.replace("18:00", "17:00"), "iac.database.backup", "fail", "02:00"),
        (SQL, DATABASE.replace("days = 7", "days = 8"), "iac.database.log_retention", "fail", "8 days"),
        (STATE, BACKEND.replace("gcs", "local"), "iac.state.kms", "fail", "backend local"),
        (STATE, BACKEND.replace("kms_encryption_key", "encryption_key"), "iac.state.kms", "fail", "path"),
        (STATE, re.sub(r"kms_encryption_key.*", "", BACKEND), "iac.state.kms", "fail", "Google's own key"),
        (STATE, "", "iac.state.kms", "fail", "no backend"),
        ("terraform/modules/iam/main.tf", ROLES.replace("cloudsql.client", "owner"), "security.iam.cloud_sql", "fail",
         "roles/owner"),
        ("terraform/modules/iam/main.tf", "", "security.iam.secret_manager", "fail", "grants of a role: 0"),
        ("terraform/modules/firebase-storage/main.tf", REST.replace("containerscanning", "x"),
         "security.scan.container", "fail", "containerscanning"),
        ("terraform/environments/dev/extra.tf", "", "iac.secrets.environments", "fail", "extra.tf"),
        ("setup.sh", "gcloud container clusters create-auto tekutoko-cluster --region=asia-northeast1 "
         "--enable-private-nodes\n", "operations.create_cluster", "fail", "Terraform); at most 1"),
        ("setup.sh", made.CREDENTIALS.replace("asia-northeast1", "us-east1"), "operations.credentials", "fail",
         "us-east1"),
        (FLOW, WORKFLOW.replace("needs: test", ""), "cicd.trigger", "fail", "deploy"),
        (FLOW, WORKFLOW.replace("[main]", "[other]"), "cicd.trigger", "fail", "other"),
        (FLOW, WORKFLOW.replace("workload_identity_provider", "credentials_json"), "cicd.auth", "fail", ""),
        (FLOW, WORKFLOW.replace("  PROJECT_ID:", "  OTHER:"), "cicd.build", "fail", "PROJECT_ID"),
        (FLOW, WORKFLOW.replace("TAG=", "TAGS="), "cicd.build", "fail", "TAG"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "go list -m all | nancy sleuth"), "security.scan.go_modules",
         "fail", "nancy"),
        (FLOW, WORKFLOW.replace("pkg.dev", "x").replace("asia-northeast1-docker.x", "asia.gcr.io"),
         "security.scan.container", "fail", ""),
        (".github/workflows/second.yml", WORKFLOW, "strategy.versus.pipeline", "fail", "second.yml"),
        (".github/workflows/second.yml", WORKFLOW.replace("needs: test", ""), "cicd.trigger", "fail", "deploy"),
        (".github/workflows/second.yml", WORKFLOW.replace("workload_identity_provider", "credentials_json"), "cicd.auth",
         "fail", "kept as a secret"),
        ("deploy/deployment.yaml", DEPLOYMENT.replace(":1a2b3c", ""), "manifest.deployment.image", "fail", ""),
        ("Dockerfile", "FROM golang\n", "phase2.dockerfile", "fail", "Dockerfile 1"),
        (".github/dependabot.yml", "version: 2\nupdates: []\n", "security.scan.dependabot", "fail", "configurations of Dependabot: 0"),
        (OTHER, CLUSTER.replace("primary", "second").replace("= true", "= false", 1), "iac.autopilot", "fail", "false"),
        (MAIN, CLUSTER.replace("= true", "= var.autopilot", 1), "iac.autopilot", "inconclusive", "var.autopilot"),
        (OTHER, DATABASE.replace("main", "second").replace("2-4096", "2-4000"), "iac.database.tier", "fail", "4000 MB"),
        (OTHER, DATABASE.replace("main", "second").replace("18:00", "17:00"), "iac.database.backup", "fail", "02:00"),
        (OTHER, DATABASE.replace("main", "second").replace("days = 7", "days = 8"), "iac.database.log_retention", "fail",
         "8 days"),
        (SQL, DATABASE.replace('"18:00"', "var.hour"), "iac.database.backup", "inconclusive", "var.hour"),
        (SQL, DATABASE.replace("enabled                        = true", "enabled = var.on", 1), "iac.database.backup",
         "inconclusive", "var.on"),
        (SQL, DATABASE.replace("days = 7", "days = var.days"), "iac.database.log_retention", "inconclusive", "var.days"),
        (STATE, re.sub(r"(bucket|kms_encryption_key) .*", "", BACKEND), "iac.state.kms", "inconclusive",
         "terraform init"),
        (OTHER, BACKEND.replace("gcs", "local"), "iac.state.kms", "fail", "backend local"),
        # its state stays where Terraform was run, whatever the others do
        ("terraform/environments/dev/backend.tf", "", "iac.state.kms", "fail", "terraform/environments/dev"),
        # every script and every way to sign in counts, not the last or one of them
        ("a.sh", made.CREDENTIALS.replace("asia-northeast1", "us-east1"), "operations.credentials", "fail", "us-east1"),
        ("setup.sh", made.CREDENTIALS.replace("tekutoko", "old") + made.CREDENTIALS, "operations.credentials", "fail",
         "old-cluster (asia-northeast1), tekutoko-cluster (asia-northeast1)"),
        # so does a step of a workflow, and so does a cluster that is no Autopilot one
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - run: |\n          gcloud container clusters \\\n"
         "            get-credentials old-cluster --zone asia-northeast1-a\n      - run: kubectl"),
         "operations.credentials", "fail", "old-cluster (asia-northeast1-a)"),
        ("a.sh", "gcloud container clusters get-credentials \"$CLUSTER\" --region=asia-northeast1\n",
         "operations.credentials", "inconclusive", "$CLUSTER, which is not read"),
        ("setup.sh", made.CREDENTIALS + "gcloud container clusters create tekutoko-cluster --region=asia-northeast1\n",
         "operations.create_cluster", "fail", "Terraform); at most 1"),
        ("setup.sh", made.CREDENTIALS + "gcloud container clusters create tekutoko-cluster --region=asia-northeast1\n",
         "security.network.private_nodes", "fail", "neither"),
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - run: gcloud auth activate-service-account "
         "--key-file=<(echo '${{ secrets.KEY }}')\n      - run: kubectl"), "cicd.auth", "fail", "kept as a secret"),
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - run: echo '${{ secrets.KEY }}' | docker login -u "
         "_json_key --password-stdin https://gcr.io\n      - run: kubectl"), "cicd.auth", "fail", "kept as a secret"),
        # what stands behind a command on its line is none of the cluster's place
        ("a.sh", "gcloud container clusters get-credentials old-cluster --region asia-northeast1; kubectl get pods\n",
         "operations.credentials", "fail", "old-cluster (asia-northeast1), tekutoko-cluster (asia-northeast1)"),
        # of a variable the name is told, be it that of the cluster or of its place
        ("a.sh", 'gcloud container clusters get-credentials tekutoko-cluster --zone="$ZONE"\n', "operations.credentials",
         "inconclusive", "get-credentials is $ZONE, which is not read"),
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - run: gcloud container clusters get-credentials "
         "${{ vars.CLUSTER }} --region asia-northeast1\n      - run: kubectl"), "operations.credentials", "inconclusive",
         "get-credentials is ${{ vars.CLUSTER }}, which is not read"),
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - run: |\n          gcloud container clusters get-credentials "
         "'tekutoko-cluster' --region=\"${{ vars.REGION }}\"\n      - run: kubectl"), "operations.credentials",
         "inconclusive", "get-credentials is ${{ vars.REGION }}, which is not read"),
        # a cluster that a step of a workflow makes is to have private nodes, too
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - run: gcloud container clusters create-auto "
         "tekutoko-cluster --region asia-northeast1\n      - run: kubectl"), "security.network.private_nodes", "fail",
         "neither"),
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - uses: docker/login-action@v3\n        with:\n          "
         "registry: gcr.io\n          username: _json_key\n      - run: kubectl"), "cicd.auth", "fail",
         "kept as a secret"),
        (MAIN, CLUSTER.replace("${var.project_id}.svc.id.goog", "${var.pool}"), "iac.workload_pool", "inconclusive",
         "var.pool"),
        ("terraform/modules/iam/main.tf", re.sub(r"for_each.*", "for_each = local.roles", ROLES),
         "security.iam.cloud_sql", "inconclusive", "each.value"),
        (FLOW, WORKFLOW.replace("go test ./...", "go test ./... || true"), "cicd.trigger", "fail", "deploy"),
        (FLOW, WORKFLOW.replace("go test ./...", "# go test ./..."), "cicd.trigger", "fail", "deploy"),
        (FLOW, WORKFLOW.replace("- run: |\n          go", "- continue-on-error: true\n        run: |\n          go"),
         "cicd.trigger", "fail", "deploy"),
        (FLOW, WORKFLOW.replace("needs: test", "needs: test\n    if: always()"), "cicd.trigger", "fail", "deploy"),
        (FLOW, WORKFLOW.replace("needs: test", "needs: test\n    if: ${{ !cancelled() }}"), "cicd.trigger", "fail",
         "deploy"),
        (MAIN, STANDARD, "iac.workload_pool", "fail", "which Autopilot alone has by itself; enable_autopilot is none"),
        (MAIN, re.sub(r"  workload_identity_config \{\n.*\n  \}\n", "", CLUSTER).replace("= true", "= var.on", 1),
         "iac.workload_pool", "inconclusive", "var.on"),
        (MAIN, CLUSTER.replace("nodes = true", "nodes = var.private"), "security.network.private_nodes", "inconclusive",
         "var.private"),
        (OTHER, CLUSTER.replace("nodes = true", "nodes = false") + CLUSTER.replace("nodes = true", "nodes = var.private"),
         "security.network.private_nodes", "fail", "neither"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "govulncheck ./... || true"), "security.scan.go_modules", "fail",
         "scans of what is built that are missing: 1"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "# govulncheck ./... is to come"), "security.scan.go_modules",
         "fail", "scans of what is built that are missing: 1"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "go vet ./...  # govulncheck is to come"),
         "security.scan.go_modules", "fail", "scans of what is built that are missing: 1"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "go install golang.org/x/vuln/cmd/govulncheck@latest"),
         "security.scan.go_modules", "fail", "scans of what is built that are missing: 1"),
        (FLOW, WORKFLOW.replace("          govulncheck ./...\n", "      - uses: golang/govulncheck-action@v1\n"
         "        continue-on-error: true\n"), "security.scan.go_modules", "fail", "scans of what is built that are missing: 1"),
        (IAM, ROLES.replace("each.value\n", 'each.value\n  member   = "user:someone@example.com"\n'),
         "security.iam.cloud_sql", "fail", "granted: –; to people alone: roles/cloudsql.client, roles/secretmanager"),
        (IAM, ROLES.replace("each.value\n", 'each.value\n  members  = ["group:ops@example.com", "user:someone@e.com"]\n'),
         "security.iam.secret_manager", "fail", "to people alone"),
        (IAM, CONDITION, "security.iam.cloud_sql", "fail", "granted: roles/viewer"),
        (IAM, CONDITION, "security.iam.secret_manager", "fail", "granted: roles/viewer"),
        (IAM, POLICY, "security.iam.cloud_sql", "inconclusive", "data.google_iam_policy.all.policy_data"),
        (FLOW, BY_ENV.replace("CLUSTER: tekutoko", "CLUSTER: other"), "operations.credentials", "fail",
         "other-cluster (asia-northeast1), tekutoko-cluster (asia-northeast1)"),
        (FLOW, WORKFLOW.replace("cluster_name: tekutoko-cluster", "cluster_name: ${{ vars.CLUSTER }}"),
         "operations.credentials", "inconclusive", "cluster_name is ${{ vars.CLUSTER }}"),
        (FLOW, BY_ENV.replace("      - uses: google-github-actions/get", "      - run: echo CLUSTER=x >> $GITHUB_ENV\n"
         "      - uses: google-github-actions/get"), "operations.credentials", "inconclusive", "env.CLUSTER"),
        ("deploy/deployment.yaml", DEPLOYMENT.replace("containers:", "initContainers:\n      - image: busybox:latest\n"
         "        name: wait\n      containers:"), "manifest.deployment.image", "fail", "busybox:latest"),
    ],
)  # fmt: skip
def test_each_mistake_fails(tmp_path: Path, name: str, text: str, claim: str, verdict: str, words: str) -> None:
    """Also one that the document makes: in a repository of one's own it can be mended."""
    found = made.of(made.written(tmp_path, GOOD | {name: text}))[claim]
    assert (found.verdict, words in found.reason) == (verdict, True), found.reason


@pytest.mark.parametrize(
    ("name", "text", "claim"),
    [
        # what stands behind a command on its line is none of the cluster's place
        ("a.sh", "gcloud container clusters get-credentials tekutoko-cluster --region asia-northeast1; kubectl get pods\n",
         "operations.credentials"),
        (FLOW, WORKFLOW.replace("      - run: kubectl", "      - run: |\n          gcloud container clusters create-auto "
         "tekutoko-cluster \\\n            --enable-private-nodes --region asia-northeast1\n      - run: kubectl"),
         "security.network.private_nodes"),
        # a comment names no cluster, signs in by no key, and deploys nothing
        *((FLOW, WORKFLOW.replace("      - run: kubectl", f"      - run: |\n          # {said}\n      - run: kubectl"), claim)
          for said, claim in (
              ("gcloud container clusters create old --region=asia-northeast1", "operations.create_cluster"),
              ("gcloud container clusters get-credentials old --region=asia-northeast1", "operations.credentials"),
              ("gcloud auth activate-service-account --key-file=key", "cicd.auth"),
          )),
        (BEFORE, "on: push\njobs:\n  look:\n    steps:\n      - run: |\n          # kubectl needs a cluster to apply to\n",
         "strategy.versus.pipeline"),
        (FLOW, WORKFLOW.replace("branches: [main]", "branches: main"), "cicd.trigger"),
        (FLOW, WORKFLOW.replace("go test ./...", "gotestsum ./..."), "cicd.trigger"),
        (BEFORE, WORKFLOW.replace("[main]", "[develop]").replace("needs: test", ""), "cicd.trigger"),
        (FLOW, re.sub(r"- run: \|\n +TAG=.*\n.*\n", "- uses: docker/build-push-action@v6\n", WORKFLOW), "cicd.build"),
        (FLOW, WORKFLOW.replace("needs: test", "needs: test\n    if: always() && needs.test.result == 'success'"),
         "cicd.trigger"),
        (FLOW, WORKFLOW.replace("    steps:\n      - run: |\n          go test",
         "    steps:\n      - uses: golang/govulncheck-action@v1\n      - run: |\n          go test").replace(
         "          govulncheck ./...\n", ""), "security.scan.go_modules"),
        ("Dockerfile.dockerignore", "*\n!api\n", "phase2.dockerfile"),
        (MAIN, re.sub(r"  workload_identity_config \{\n.*\n  \}\n", "", CLUSTER), "iac.workload_pool"),
        (FLOW, BY_ENV, "operations.credentials"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "go install golang.org/x/vuln/cmd/govulncheck@latest && govulncheck ."),
         "security.scan.go_modules"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "$(go env GOPATH)/bin/govulncheck ./...  # every module"),
         "security.scan.go_modules"),
        (FLOW, WORKFLOW.replace("govulncheck ./...", "go list -json -deps ./... |\n            nancy sleuth"),
         "security.scan.go_modules"),
        (IAM, ROLES.replace("each.value\n", 'each.value\n  member   = google_service_account.api.member\n'),
         "security.iam.cloud_sql"),
        (IAM, ROLES.replace("each.value\n", 'each.value\n  members  = ["user:a@e.com", "serviceAccount:api@e.com"]\n'),
         "security.iam.secret_manager"),
        (OTHER, DATABASE.replace("main", "copy").replace("settings {", 'master_instance_name = "main"\n  settings {')
         .replace("enabled                        = true", "enabled = false", 1), "iac.database.backup"),
        ("terraform/modules/iam/main.tf", ROLES + '''
resource "google_project_iam_member" "more" {
  for_each = local.more
  role     = each.key
}
''', "security.iam.cloud_sql"),
    ],
)  # fmt: skip
def test_what_is_no_mistake_is_none(tmp_path: Path, name: str, text: str, claim: str) -> None:
    found = made.of(made.written(tmp_path, GOOD | {name: text}))[claim]
    assert found.verdict is Verdict.PASS, found.reason


@pytest.mark.parametrize(
    ("gone", "claim"),
    [
        (".github/dependabot.yml", "security.scan.dependabot"),
        ("terraform/modules/iam/outputs.tf", "iac.layout"),
        ("terraform/environments/dev/main.tf", "iac.secrets.environments"),
        ("Dockerfile", "phase2.dockerfile"),
        (FLOW, "cicd.trigger"),
    ],
)
def test_what_a_repository_has_not_is_not_kept(tmp_path: Path, gone: str, claim: str) -> None:
    files = {name: text for name, text in GOOD.items() if name != gone}
    assert made.of(made.written(tmp_path, files))[claim].verdict is Verdict.FAIL


def test_images_of_a_repository_without_a_deployment_are_not_those_of_the_document(tmp_path: Path) -> None:
    files = {name: text for name, text in GOOD.items() if name != "deploy/deployment.yaml"}
    found = made.of(made.written(tmp_path, files))["manifest.deployment.image"]
    assert (found.verdict, "no Deployment" in found.reason) == (Verdict.NOT_EXERCISED, True)


def test_a_digest_is_a_version(tmp_path: Path) -> None:
    image = DEPLOYMENT.replace(":1a2b3c", "@sha256:" + "0" * 64)
    found = made.of(made.written(tmp_path, GOOD | {"deploy/deployment.yaml": image}))
    assert found["manifest.deployment.image"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("name", "text", "says"), [(MAIN, "resource {{", "this is no Terraform: "), (FLOW, "on: [", "not YAML: ")]
)
def test_a_file_that_its_language_refuses_is_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as told:
        read(made.written(tmp_path, GOOD | {name: text}))
    assert name in str(told.value)


@pytest.mark.parametrize(
    ("steps", "at"),
    [("[null]", "jobs.deploy.steps[0]"), ("3", "jobs.deploy.steps"), ("[{with: x}]", "jobs.deploy.steps[0].with")],
)
def test_a_workflow_that_github_does_not_take_is_refused_by_its_place(tmp_path: Path, steps: str, at: str) -> None:
    flow = f"on: push\njobs:\n  deploy:\n    steps: {steps}\n"
    with pytest.raises(BadInput, match="Expected ") as told:
        read(made.written(tmp_path, GOOD | {FLOW: flow}))
    assert told.value.where == f"{tmp_path / FLOW}:4, {at}"


CHART = """
kind: Deployment
spec:
  {{- if .Values.fixed }}
  replicas: 2
  {{- end }}
  template:
    spec:
      containers:
      - name: api
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
"""


@pytest.mark.parametrize(
    ("chart", "verdict", "why"),
    [
        (CHART, Verdict.INCONCLUSIVE, "which is not read"),
        (CHART.replace("        image", "        # image"), Verdict.INCONCLUSIVE, "which is not read"),
        (CHART + "      - image: busybox\n", Verdict.FAIL, "busybox"),
        (CHART + "      - image: 'busybox:latest' # tools\n", Verdict.FAIL, "busybox"),
        (CHART.replace("{{ .Values.image.repository }}:{{ .Values.image.tag }}", "api:v3"), Verdict.PASS, "api:v3"),
        ("kind: Deployment\nspec:\n  template:\n    spec:\n      # containers:\n", Verdict.PASS, "1a2b3c"),
    ],
)
def test_a_chart_beside_the_manifests_is_read_as_far_as_it_is_written(
    tmp_path: Path, chart: str, verdict: Verdict, why: str
) -> None:
    """Helm's templates are no YAML: what they take from elsewhere leaves the images open, and refuses nothing."""
    found = made.of(made.written(tmp_path, GOOD | {"charts/api/templates/deployment.yaml": chart}))
    told = found["manifest.deployment.image"]
    assert told.verdict is verdict
    assert why in told.reason


def test_a_byte_order_mark_is_none_of_terraform(tmp_path: Path) -> None:
    files = GOOD | {MAIN: "\ufeff" + GOOD[MAIN]}
    assert read(made.written(tmp_path, files)) == read(made.written(tmp_path / "without", GOOD))


def test_a_variable_that_an_earlier_step_hands_on_is_set(tmp_path: Path) -> None:
    flow = WORKFLOW.replace("  PROJECT_ID:", "  OTHER:").replace(
        "      - run: |\n          TAG=",
        '      - run: echo "PROJECT_ID=p" >> $GITHUB_ENV\n      - run: |\n          TAG=',
    )
    assert made.of(made.written(tmp_path, GOOD | {FLOW: flow}))["cicd.build"].verdict is Verdict.PASS


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no folder"):
        parse(["infrastructure", "--repository", str(tmp_path / "none"), "--reports", str(tmp_path)]).run()


@pytest.mark.parametrize(
    ("on", "patterns", "by_main"),
    [
        ("push", ["**"], True),
        (["push", "pull_request"], ["**"], True),
        (["pull_request"], [], False),
        ({"push": None}, ["**"], True),
        ({"push": {"paths": ["src/**"]}}, ["**"], True),
        ({"push": {"branches": ["**"]}}, ["**"], True),
        ({"push": {"branches": ["ma*", "!main"]}}, ["ma*", "!main"], False),
        ({"push": {"branches": "main"}}, ["main"], True),
        ({"push": {"branches-ignore": ["dev"]}}, ["**", "!dev"], True),
        ({"push": {"branches-ignore": ["main"]}}, ["**", "!main"], False),
        ({"push": {"tags": ["v1"]}}, [], False),
        ({"workflow_dispatch": None}, [], False),
        (None, [], False),
    ],
)
def test_which_branches_a_push_of_starts_a_workflow(on: object, patterns: list[str], by_main: bool) -> None:
    """As GitHub reads ``on``: without a filter of branches each does, unless tags alone are named."""
    found = branches({"on": on})
    assert (found, starts(found, "main")) == (patterns, by_main)
