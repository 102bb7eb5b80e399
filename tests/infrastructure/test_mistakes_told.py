"""What is told of each mistake of a repository, to the word, and at the edge of each limit: by the table beside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from harness.model.judgement import Verdict
from harness.model.manifests import STILL_THERE
from harness.rehearsals.infrastructure.types import Image, Repository
from harness.stack.manifests import errata
from harness.stack.manifests.folder import Folder, ManifestPlaces
from tests.infrastructure import made
from tests.infrastructure.made import GOOD, WORKFLOW
from tests.infrastructure.test_told import says

TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text())
ROWS = [
    (claim, row, printed) for claim, rows in TABLE.items() for row in rows for printed in row.get("printed", [False])
]
_LEFT_OUT = {"resources": {"name": "r", "file": "main.tf"}, "backends": {"file": "backend.tf"}}


def repository(read: dict[str, Any]) -> Repository:
    """As it is read, with what the table leaves out."""
    whole = {key: [{**more, **each} for each in read.get(key, ())] for key, more in _LEFT_OUT.items()}
    return msgspec.convert(read | whole, Repository)


@pytest.mark.parametrize(
    ("claim", "row", "printed"), ROWS, ids=[f"{n}-{claim}" for n, (claim, _, _) in enumerate(ROWS)]
)
def test_a_mistake_is_told_and_what_is_none_is_not(claim: str, row: dict[str, Any], printed: bool) -> None:
    found = made.of_read(repository(row["read"]), printed=printed)[claim]
    says(found, Verdict(row["gives"]), row.get("erratum", ""), row.get("why", ""))


def test_files_of_the_layout_that_are_missing_are_named() -> None:
    """One of another folder whose name ends the same is none of them."""
    whole = {name for name in GOOD if name.endswith((".tf", ".tfvars"))}
    gone = {"terraform/modules/iam/outputs.tf", "terraform/environments/dev/main.tf"}
    found = Repository(files=(*whole - gone, "terraform/own-modules/iam/outputs.tf"))
    missing = "missing: 2 of 21 (environments/dev/main.tf, modules/iam/outputs.tf)"
    says(made.of_read(found)["iac.layout"], Verdict.FAIL, "", missing)
    not_printed = "2 of 21 files of the layout are not printed"
    says(made.of_read(found, printed=True)["iac.layout"], Verdict.NOT_EXERCISED, "", not_printed)
    says(made.of_read(Repository(files=tuple(whole)), printed=True)["iac.layout"], Verdict.PASS, "", "")


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
    by_manifests = {
        each.id: each.state for each in errata.read(Folder({"Deployment/d": deployment}, ManifestPlaces({}), "d"))
    }
    erratum = "manifest.gcr_shut_down"
    shown = by_repository[erratum].verdict is Verdict.ERRATUM_SHOWN
    assert (shown, by_manifests[erratum] == STILL_THERE) == (gone, gone)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (re.sub(r"gcloud builds submit.*", "true", WORKFLOW), "steps that build an image: 0"),
        (WORKFLOW.replace("--tag $TAG", "--tag $A/$B/$A"), "that nobody sets: 2 (A, B)"),
    ],
)
def test_a_build_is_there_and_its_variables_are_set(tmp_path: Path, text: str, why: str) -> None:
    found = made.of(made.written(tmp_path, {".github/workflows/deploy.yml": text}))
    says(found["cicd.build"], Verdict.FAIL, "", why)
