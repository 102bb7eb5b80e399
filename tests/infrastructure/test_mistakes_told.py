"""What is told of each mistake of a repository, to the word, and at the edge of each limit."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from harness.model.manifests import STILL_THERE
from harness.model.verdict import Verdict
from harness.rehearsals.infrastructure.types import Backend, Document, Image, Repository, Resource
from harness.stack.manifests import errata
from harness.stack.manifests.folder import Folder
from harness.stack.manifests.places import Places
from tests.infrastructure import made
from tests.infrastructure.made import GOOD, WORKFLOW
from tests.infrastructure.test_told import says

PASS, FAIL, SHOWN, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.INCONCLUSIVE
KMS = "projects/p/locations/l/keyRings/r/cryptoKeys/k"


def of(
    claim: str, found: Repository, verdict: Verdict, erratum: str = "", why: str = "", *, printed: bool = False
) -> None:
    """Asserts what is said of ``claim`` where that was read."""
    says(made.of_read(found, printed=printed)[claim], verdict, erratum, why)


def resource(kind: str, **attributes: object) -> Resource:
    return Resource(kind=kind, name="r", file="main.tf", attributes=attributes)


def cluster(pool: str | None = None, *, private: object = True, **attributes: object) -> Resource:
    pools = {} if pool is None else {"workload_identity_config": [{"workload_pool": pool}]}
    config = [{"enable_private_nodes": private}]
    return resource("google_container_cluster", private_cluster_config=config, **pools, **attributes)


def database(**settings: object) -> Repository:
    return Repository(resources=(resource("google_sql_database_instance", settings=[settings]),))


def backend(kind: str = "gcs", file: str = "backend.tf", **attributes: object) -> Backend:
    return Backend(kind=kind, file=file, attributes=attributes)


NAMED = ("main.tf", "terraform.tfvars", "backend.tf")


def environments(**names: tuple[str, ...]) -> Repository:
    return Repository(files=tuple(f"environments/{each}/{name}" for each, files in names.items() for name in files))


def test_files_of_the_layout_that_are_missing_are_named() -> None:
    """One of another folder whose name ends the same is none of them."""
    whole = {name for name in GOOD if name.endswith((".tf", ".tfvars"))}
    gone = {"terraform/modules/iam/outputs.tf", "terraform/environments/dev/main.tf"}
    found = Repository(files=(*whole - gone, "terraform/own-modules/iam/outputs.tf"))
    missing = "missing: 2 of 21 (environments/dev/main.tf, modules/iam/outputs.tf)"
    of("iac.layout", found, FAIL, "", missing)
    of("iac.layout", found, Verdict.NOT_EXERCISED, "", "2 of 21 files of the layout are not printed", printed=True)
    of("iac.layout", Repository(files=tuple(whole)), PASS, printed=True)


@pytest.mark.parametrize(
    ("names", "verdict", "why"),
    [
        ({"dev": NAMED, "staging": NAMED, "prod": NAMED}, PASS, "0 of 3 (dev (3), staging (3), prod (3))"),
        ({"dev": NAMED, "staging": NAMED[:1], "prod": NAMED}, FAIL, "not in each: 2 (backend.tf, terraform.tfvars)"),
        ({"dev": NAMED, "staging": NAMED, "prod": NAMED, "test": NAMED[:2]}, FAIL, "not in each: 1 (backend.tf)"),
    ],
)
def test_environments_have_the_same_files(names: dict[str, tuple[str, ...]], verdict: Verdict, why: str) -> None:
    """Also where all that is printed has them: nothing is left out there."""
    for printed in (False, True):
        of("iac.secrets.environments", environments(**names), verdict, "", why, printed=printed)


NOT_ASKED = "neither every resource nor every command that makes a cluster asks for private nodes"
ASKED = "private nodes are asked for wherever a cluster is made"
MADE = "gcloud container clusters create-auto tekutoko"


@pytest.mark.parametrize(
    ("private", "scripts", "verdict", "why"),
    [
        (True, [f"{MADE} --enable-private-nodes", "gcloud container clusters list"], PASS, ASKED),
        (True, [f"{MADE} --enable-private-nodes", MADE], FAIL, NOT_ASKED),
        ("${var.private}", [], OPEN, "enable_private_nodes is ${var.private}, which is not read"),
        ("${var.private}", [MADE], FAIL, NOT_ASKED),
    ],
)
def test_private_nodes_are_asked_for_by_each_command_too(
    private: object, scripts: list[str], verdict: Verdict, why: str
) -> None:
    found = Repository(resources=(cluster(private=private),), scripts=tuple(scripts))
    erratum = "security.private_nodes_not_asked_for" if verdict is FAIL else ""
    of("security.network.private_nodes", found, verdict, erratum, why)


ITSELF = "no workload pool is named, and Autopilot has it by itself; enable_autopilot is true"
ALONE = "no workload pool is named, which Autopilot alone has by itself"
BESIDE = "the workload pool {} stands beside enable_autopilot"
POOL, UNREAD = "${var.project}.svc.id.goog", "enable_autopilot is ${var.on}, which is not read"


@pytest.mark.parametrize(
    ("pool", "autopilot", "verdict", "why"),
    [
        (None, True, PASS, ITSELF),
        ("", True, PASS, ITSELF),
        (None, False, FAIL, f"{ALONE}; enable_autopilot is false"),
        (None, "${var.on}", OPEN, f"{ALONE}; {UNREAD}"),
        (POOL, False, PASS, BESIDE.format(POOL)),  # a Standard cluster needs it
        (POOL, "${var.on}", PASS, BESIDE.format(POOL)),
        ("p.svc.id.other", False, FAIL, BESIDE.format("p.svc.id.other")),
        ("${var.pool}", False, OPEN, "workload_pool is ${var.pool}, which is not read"),
    ],
)
def test_the_workload_pool(pool: str | None, autopilot: object, verdict: Verdict, why: str) -> None:
    found = Repository(resources=(cluster(pool, enable_autopilot=autopilot),))
    of("iac.workload_pool", found, verdict, "", why)
    told = UNREAD if autopilot == "${var.on}" else f"enable_autopilot is {str(autopilot).lower()}"
    assert told in made.of_read(found)["iac.autopilot"].reason


REFUSED = "Cloud SQL refuses it: a multiple of 256 MB, from {} MB"


@pytest.mark.parametrize(
    ("cpus", "megabytes", "least"),
    [
        (1, 3840, 0), (1, 3584, 3840), (1, 6656, 0), (1, 6912, 3840), (1, 4000, 3840), (2, 13312, 0), (2, 13568, 3840),
        (3, 4096, 3840), (8, 7424, 0), (8, 7168, 7376), (2, 256, 3840),
    ],
)  # fmt: skip
def test_a_tier_s_memory_lies_between_what_its_processors_need_and_may_have(
    cpus: int, megabytes: int, least: int
) -> None:
    """``least`` of one that is refused: it is told from how many megabytes on it would not be."""
    told = f"db-custom-{cpus}-{megabytes} asks for {cpus} processors and {megabytes} MB"
    verdict, why = (FAIL, f"{told}; {REFUSED.format(least)}") if least else (PASS, told)
    of("iac.database.tier", database(tier=f"db-custom-{cpus}-{megabytes}"), verdict, "", why)


def test_less_than_the_step_were_gigabytes() -> None:
    told = f"db-custom-2-255 asks for 2 processors and 255 MB; {REFUSED.format(3840)}"
    of("iac.database.tier", database(tier="db-custom-2-255"), SHOWN, "iac.tier_is_4_megabytes", told, printed=True)


@pytest.mark.parametrize("tier", ["", "db-f1-micro"])
def test_another_kind_of_tier_is_left_open(tier: str) -> None:
    found = database(**({"tier": tier} if tier else {}))
    of("iac.database.tier", found, OPEN, "", f"the tier {tier or '–'} is no db-custom-CPUS-MEGABYTES")


@pytest.mark.parametrize(
    ("days", "verdict", "why"),
    [
        (0, FAIL, "0 days of logs; Cloud SQL keeps 1 to 7"),
        (1, PASS, "1 days of logs; Cloud SQL keeps 1 to 7"),
        (7, PASS, "7 days of logs; Cloud SQL keeps 1 to 7"),
        (None, FAIL, "– days of logs; Cloud SQL keeps 1 to 7"),
        ("${var.days}", OPEN, "transaction_log_retention_days is ${var.days}, which is not read"),
    ],
)
def test_how_long_logs_are_kept(days: object, verdict: Verdict, why: str) -> None:
    found = database(backup_configuration=[{"transaction_log_retention_days": days}])
    of("iac.database.log_retention", found, verdict, "", why)


NOT_ON = "backups and recovery to a moment are not both on, or have no time"
ON = {"enabled": True, "point_in_time_recovery_enabled": True, "start_time": "18:00"}


@pytest.mark.parametrize("said", [{}, {"settings": "${var.settings}"}, {"settings": []}, {"settings": ["${var.one}"]}])
def test_settings_that_are_no_block_hold_nothing(said: Document) -> None:
    found = Repository(resources=(resource("google_sql_database_instance", **said),))
    of("iac.database.backup", found, FAIL, "", f"{NOT_ON}: –")


@pytest.mark.parametrize(
    ("backup", "verdict", "why"),
    [
        ({**ON, "enabled": False}, FAIL, f"{NOT_ON}: 18:00"),
        ({**ON, "point_in_time_recovery_enabled": False}, FAIL, f"{NOT_ON}: 18:00"),
        ({**ON, "start_time": "24:00"}, FAIL, f"{NOT_ON}: 24:00"),
        ({"enabled": True, "point_in_time_recovery_enabled": True}, FAIL, f"{NOT_ON}: –"),
        ({**ON, "start_time": "${var.hour}"}, OPEN, "start_time is ${var.hour}, which is not read"),
        ({**ON, "enabled": "${var.on}"}, OPEN, "enabled is ${var.on}, which is not read"),
    ],
)
def test_a_backup_has_a_time_and_is_on(backup: Document, verdict: Verdict, why: str) -> None:
    of("iac.database.backup", database(backup_configuration=[backup]), verdict, "", why)


OWN_KEY, GOOGLES = "a key of the customer's", "Google's own key alone"
PATH = "the path of a key of KMS, as if it were the key itself"


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"encryption_key": base64.b64encode(b"k" * 32).decode()}, OWN_KEY),
        ({"encryption_key": base64.b64encode(b"k" * 31).decode()}, GOOGLES),
        ({"encryption_key": "no base64"}, GOOGLES),
        ({"encryption_key": "\x80"}, GOOGLES),
        ({"kms_encryption_key": "key"}, GOOGLES),
        ({}, GOOGLES),
    ],
)
def test_a_state_without_a_key_of_kms_says_what_encrypts_it(attributes: Document, what: str) -> None:
    found = Repository(backends=(backend(bucket="b", kms_encryption_key=KMS), backend(bucket="b", **attributes)))
    for printed in (False, True):
        of("iac.state.kms", found, FAIL, "", f"backend.tf: backend gcs, encrypted by {what}", printed=printed)


@pytest.mark.parametrize(
    ("image", "gone"),
    [
        ("eu.gcr.io/walk/api:1", True),
        ("gcr.io/distroless/static:nonroot", False),
        ("gcr.io/cloudsql-docker/gce-proxy:1.37.0", False),
        ("gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.14.0", False),
        ("asia-northeast1-docker.pkg.dev/p/gcr.io/api:1", False),
    ],
)
def test_which_images_lie_in_container_registry_is_one_rule(image: str, gone: bool) -> None:
    found = Repository(images=(Image(container="api", image=image),))
    by_repository = made.of_read(found, printed=True)
    pod = {"spec": {"template": {"spec": {"containers": [{"name": "api", "image": image}]}}}}
    deployment = {"kind": "Deployment", "metadata": {"name": "d"}, **pod}
    by_manifests = {each.id: each.state for each in errata.read(Folder({"Deployment/d": deployment}, Places({}), "d"))}
    erratum = "manifest.gcr_shut_down"
    assert (by_repository[erratum].verdict is SHOWN, by_manifests[erratum] == STILL_THERE) == (gone, gone)


@pytest.mark.parametrize("name", ["kms_encryption_key", "encryption_key"])
def test_a_key_that_is_named_elsewhere_is_not_known(name: str) -> None:
    named = backend(bucket="b", **{name: "${var.key}"})
    for backends, verdict in (
        ((named, backend(kms_encryption_key=KMS)), OPEN),
        ((named, backend()), OPEN),  # the other's settings are given to terraform init
        ((named, backend(bucket="b")), FAIL),
    ):
        of("iac.state.kms", Repository(backends=backends), verdict)


def test_a_path_of_a_key_in_another_backend_is_no_erratum_of_cloud_storage() -> None:
    found = Repository(backends=(backend("s3", encryption_key=KMS),))
    of("iac.state.kms", found, FAIL, "", f"backend.tf: backend s3, encrypted by {PATH}", printed=True)


def test_of_backends_that_stand_in_part_elsewhere_the_one_that_is_wrong_as_it_stands_is_told() -> None:
    part = backend(file="part.tf")
    init = "part.tf: the backend's settings are given to terraform init"
    of("iac.state.kms", Repository(backends=(part,)), OPEN, "", init)
    for backends in ((part, backend("local")), (backend("local"), part)):
        told = f"backend.tf: backend local, encrypted by {GOOGLES}"
        of("iac.state.kms", Repository(backends=backends), FAIL, "", told)
    path = backend(encryption_key=KMS)
    for backends in ((part, path), (path, part)):
        of("iac.state.kms", Repository(backends=backends), FAIL, "iac.state_key_is_no_kms", "a path of KMS is refused")


def grant(role: str, **attributes: object) -> Resource:
    return resource("google_project_iam_member", role=role, **attributes)


def test_a_role_that_is_named_elsewhere_is_left_open() -> None:
    found = Repository(resources=(grant("${var.role}"), grant("roles/cloudsql.client")))
    of("security.iam.cloud_sql", found, PASS, "", "granted: roles/cloudsql.client")
    of("security.iam.secret_manager", found, OPEN, "", "role is ${var.role}, which is not read")


def test_what_a_grant_goes_through_is_a_role_only_where_the_role_is_that_of_each() -> None:
    """Members may be named by what they are for."""
    each = {"a": "roles/cloudsql.client"}
    found = Repository(resources=(grant("roles/viewer", for_each=each, member="${each.key}"),))
    of("security.iam.cloud_sql", found, FAIL, "", "granted: roles/viewer")


BUILD = "- run: |\n          TAG=asia-northeast1-docker.pkg.dev/$PROJECT_ID/api/api:$GITHUB_SHA\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (re.sub(r"gcloud builds submit.*", "true", WORKFLOW), "steps that build an image: 0"),
        (WORKFLOW.replace("--tag $TAG", "--tag $A/$B/$A"), "that nobody sets: 2 (A, B)"),
    ],
)
def test_a_build_is_there_and_its_variables_are_set(tmp_path: Path, text: str, why: str) -> None:
    found = made.of(made.written(tmp_path, {".github/workflows/deploy.yml": text}))
    says(found["cicd.build"], FAIL, "", why)


@pytest.mark.parametrize(
    ("image", "floats"),
    [
        ("api", True), ("api:latest", True), ("api:1", False), ("registry:5000/api", True), ("registry:5000/a/api:1", False),
        ("registry:5000/a/api", True), ("api@sha256:00", False), ("a/api:latest@sha256:00", False),
    ],
)  # fmt: skip
def test_an_image_floats_without_a_version(image: str, floats: bool) -> None:
    """A registry's port is none; a digest is."""
    found = Repository(images=(Image(container="api", image=image),))
    verdict, erratum = (SHOWN, "manifest.deployment.image_latest") if floats else (PASS, "")
    of("manifest.deployment.image", found, verdict, erratum, f"images: {image}", printed=True)


def test_each_dockerfile_has_its_stages_counted() -> None:
    found = Repository(stages={"Dockerfile": 2, "tools/Dockerfile": 1})
    of("phase2.dockerfile", found, FAIL, "", "1 of 2 (Dockerfile 2, tools/Dockerfile 1)")
    of("phase2.dockerfile", Repository(stages={"Dockerfile": 2, "api/Dockerfile": 3}), PASS)


def test_a_scan_that_reads_nothing_is_named() -> None:
    step = {"run": "nancy sleuth"}
    found = Repository(workflows={"a.yml": {"jobs": {"scan": {"steps": [step]}}}})
    of("security.scan.go_modules", found, SHOWN, "security.nancy_input", "named: nancy", printed=True)


@pytest.mark.parametrize(
    ("given", "where"),
    [({"cluster_name": "tekutoko"}, "tekutoko ()"), ({"location": "asia-northeast1"}, " (asia-northeast1)")],
)
def test_credentials_that_do_not_say_which_cluster_name_another(given: dict[str, str], where: str) -> None:
    step = {"uses": "google-github-actions/get-gke-credentials@v2", "with": given}
    found = Repository(
        scripts=("gcloud container clusters get-credentials tekutoko --region=asia-northeast1",),
        workflows={"a.yml": {"jobs": {"deploy": {"steps": [step]}}}},
    )
    names = ", ".join(sorted([where, "tekutoko (asia-northeast1)"]))
    of("operations.credentials", found, FAIL, "", f"clusters named: 2 ({names})")
