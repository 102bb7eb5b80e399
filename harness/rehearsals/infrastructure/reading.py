"""A repository's Terraform, workflows, scripts and manifests as data. Nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.owned import own
from harness.model.message import message
from harness.rehearsals.infrastructure.types import TEMPLATED, Backend, Document, Image, Repository, Resource
from harness.stack.manifests.faults import at_fault
from harness.stack.manifests.folder import PODS, at, listed

#: Folders that hold somebody else's files.
_NOT_OURS = frozenset({".git", ".terraform", "node_modules", "vendor", ".venv"})
_MOST_BYTES = 1_000_000
_PLAIN = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
_WORKFLOWS = ".github/workflows/"
#: An image as a template of YAML names it (Helm's: no YAML before it is filled in).
_IMAGE = re.compile(r"^[ \t-]*image:[ \t]*([^\s#].*?)[ \t]*(?:[ \t]#.*)?$", re.MULTILINE)


def read(root: Path, manifests: Path | None = None) -> Repository:
    """Everything of ``root``, and of ``manifests`` the images of Deployments.

    Raises ``BadInput`` for a file that its language refuses: whatever it says would count as not there.
    """
    files = [*_files(root)]
    terraform = {name: _terraform(root, name) for name in files if name.endswith(".tf")}
    images = [*_images(root, files), *(_images(manifests, [*_files(manifests)]) if manifests is not None else ())]
    return Repository(
        files=tuple(name for name in files if name.endswith((".tf", ".tfvars"))),
        resources=tuple(each for name, found in terraform.items() for each in _resources(name, found)),
        backends=tuple(each for name, found in terraform.items() for each in _backends(name, found)),
        workflows={
            name: document
            for name in files
            if _WORKFLOWS in f"/{name}" and name.endswith((".yml", ".yaml"))
            for document in _yaml(root, name, _Workflow)
        },
        scripts=tuple(line for name in files if name.endswith(".sh") for line in _gcloud(_text(root, name))),
        images=tuple(images),
        dependabot=any(
            document.get("updates")
            for name in files
            if name.endswith((".github/dependabot.yml", ".github/dependabot.yaml"))
            for document in _yaml(root, name)
        ),
        stages={name: _stages(_text(root, name)) for name in files if _is_dockerfile(Path(name).name)},
    )


def _files(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not _NOT_OURS & set(name.parts) and path.stat().st_size <= _MOST_BYTES:
            yield name.as_posix()


def _text(root: Path, name: str) -> str:
    own(root / name)
    return (root / name).read_text("utf-8-sig", errors="replace")  # Terraform, too, passes over a byte order mark


def _terraform(root: Path, name: str) -> Document:
    try:
        found: Document = hcl2.loads(_text(root, name), serialization_options=_PLAIN)
    except Exception as error:  # of the parser's own, whose library is hcl2's affair
        raise BadInput(
            message("this is no Terraform: {said}", said=str(error).partition(chr(10))[0]),
            where=str(root / name),
            remedy="terraform fmt says more",
        ) from error
    return found


def _resources(name: str, found: Document) -> Iterator[Resource]:
    for block in found.get("resource", ()):
        for kind, named in block.items():
            for each, attributes in named.items():
                yield Resource(kind=kind, name=each, file=name, attributes=attributes)


def _backends(name: str, found: Document) -> Iterator[Backend]:
    for block in found.get("terraform", ()):
        for backend in block.get("backend", ()):
            for kind, attributes in backend.items():
                yield Backend(kind=kind, file=name, attributes=attributes)


class _Step(msgspec.Struct):
    """What is read of a step, as GitHub takes it."""

    given: dict[str, Any] | None = msgspec.field(default=None, name="with")


class _Job(msgspec.Struct):
    needs: str | list[str] | None = None
    steps: list[_Step] | None = None


class _Workflow(msgspec.Struct):
    jobs: dict[str, _Job] | None = None


def _yaml(root: Path, name: str, form: type[Any] = Document) -> Iterator[Document]:
    where = str(root / name)
    for each, lines in yamltext.documents(_text(root, name), where, merge_keys=True):
        if not isinstance(each, dict):
            continue
        try:
            msgspec.convert(each, form)
        except msgspec.ValidationError as error:
            said, path = at_fault(each, error)
            remedy = "GitHub refuses it, too: its page of the workflow says more"
            raise BadInput(said, where=yamltext.place(where, lines, path), remedy=remedy) from error
        yield each


def _images(root: Path, files: list[str]) -> Iterator[Image]:
    for name in files:
        text = _text(root, name) if name.endswith((".yaml", ".yml")) else ""
        if "kind: Deployment" not in text:
            continue
        try:
            for document in _yaml(root, name):
                yield from _of_deployment(document)
        except BadInput:
            if TEMPLATED not in text:
                raise
            named = _IMAGE.findall(text) or [f"{TEMPLATED} in {name}"]
            yield from (Image(container="", image=each.strip("\"'")) for each in named)


def _of_deployment(document: Document) -> Iterator[Image]:
    if document.get("kind") != "Deployment":
        return
    for name in ("initContainers", "containers"):
        for each in listed(at(document, *PODS["Deployment"], name)):
            if each.get("image"):
                yield Image(container=str(each.get("name", "")), image=str(each["image"]))


def _gcloud(script: str) -> Iterator[str]:
    """The lines that call gcloud, each with what continues it."""
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        if line.strip().startswith("gcloud "):
            yield " ".join(line.split())


def _is_dockerfile(name: str) -> bool:
    return name.startswith("Dockerfile") and not name.endswith(".dockerignore")


def _stages(dockerfile: str) -> int:
    return len(re.findall(r"^\s*FROM\s", dockerfile, re.MULTILINE | re.IGNORECASE))
