"""The plan of the infrastructure, and what was read of a repository."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from harness.base.units import Ratio

Document = dict[str, Any]
#: The plan's name: of what the document prints, and of a checkout, whose verdicts do not take the place of the others.
PRINTED, CHECKOUT = "infrastructure", "infrastructure_checkout"
#: Where a template takes what is written elsewhere.
TEMPLATED = "{{"


class Sla(msgspec.Struct, frozen=True, kw_only=True):
    """What Google promises for a part that every request needs, in a month."""

    part: str
    promise: Ratio


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """The document's ``printed`` promise, and the availability that it ``required``; ``parts`` in series."""

    printed: Ratio
    required: Ratio
    parts: Annotated[tuple[Sla, ...], msgspec.Meta(min_length=1)]


class TerraformLayout(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of Terraform構成, and the files of each."""

    environments: tuple[str, ...]
    environment_files: tuple[str, ...]
    modules: tuple[str, ...]
    module_files: tuple[str, ...]


class InfrastructureTables(msgspec.Struct, frozen=True, kw_only=True):
    """``scenarios/plans/infrastructure.yaml``. ``services`` are what the document uses of Google Cloud, each with the
    kinds of resources of which one manages it; ``of_phase_2`` are those that it names for Phase 2. ``utc_offset_hours``
    is the document's own time, ``backup_at`` an hour of it.
    """

    title: str
    as_of: Annotated[str, msgspec.Meta(pattern=r"^20\d\d-\d\d-\d\d$(?!\n)", description="a day, as 2026-11-27")]
    availability: Availability
    layout: TerraformLayout
    services: dict[str, tuple[str, ...]]
    of_phase_2: tuple[str, ...]
    utc_offset_hours: Annotated[int, msgspec.Meta(ge=-12, le=14, examples=[9])]
    backup_at: Annotated[str, msgspec.Meta(pattern=r"^[0-2]\d:[0-5]\d$(?!\n)", description="a time, as 03:00")]


class InfrastructurePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a run. ``repository`` is the folder that is read, ``printed`` whether that is what the document
    prints, of which much is left out."""

    name: str = PRINTED
    tables: InfrastructureTables
    repository: str
    printed: bool


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A resource of Terraform: ``google_container_cluster`` ``primary``. A block in it is a list of its occurrences."""

    kind: str
    name: str
    file: str
    attributes: Document


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """Where a state of Terraform lies."""

    kind: str
    file: str
    attributes: Document


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """The image of a container of a Deployment."""

    container: str
    image: str


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """What was read. ``files`` are Terraform's, by their path. ``workflows`` are GitHub's, as they stand, by their
    path; ``scripts`` the lines of shell scripts that call gcloud, continued ones joined. ``stages`` are how many a
    Dockerfile has, by its path."""

    files: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    backends: tuple[Backend, ...] = ()
    workflows: dict[str, Document] = {}
    scripts: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    dependabot: bool = False
    stages: dict[str, int] = {}

    def of(self, kind: str) -> list[Resource]:
        """The resources of a kind."""
        return [each for each in self.resources if each.kind == kind]


class InfrastructureDetails(msgspec.Struct, kw_only=True):
    """The facts: what was read."""

    repository: Repository | None = None
