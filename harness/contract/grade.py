"""What a deviation breaks, what kind of finding it is, and where the sentence that it breaks comes from."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.message import marked


class Grade(StrEnum):
    """The more severe first (docs/contract/README.md#three-grades). Advice alone never fails the command."""

    CONTRACT = "breaks_the_contract"
    OPENAPI = "breaks_its_own_openapi"
    ADVICE = "advice"


class Finding(StrEnum):
    """What is wrong: the status, the body (or a header), somebody else's data shown, or what the target did or kept."""

    STATUS = "wrong_status"
    BODY = "wrong_body"
    LEAK = "leaked_data"
    EFFECT = "wrong_effect"


class SourceKind(StrEnum):
    """Whose sentence it is."""

    DOCUMENT = "document"  # the design document; the place is a section's heading
    CONTRACT = "contract"  # the place is a page of docs/contract and its section
    OPENAPI = "openapi"  # the place is file, line and key of an OpenAPI file


class Source(msgspec.Struct, frozen=True):
    """Where a sentence comes from."""

    kind: SourceKind
    place: str

    def __str__(self) -> str:
        """In English, on one line."""
        return f"design document, {self.place}" if self.kind is SourceKind.DOCUMENT else self.place


def document(section: str) -> Source:
    """The section of the design document with that heading."""
    return Source(SourceKind.DOCUMENT, section)


def walk_api(section: str) -> Source:
    """A section of the walk API's page."""
    return Source(SourceKind.CONTRACT, f"docs/contract/walk-api.md#{section}")


def environment(section: str) -> Source:
    """A section of the environment contract."""
    return Source(SourceKind.CONTRACT, f"docs/contract/environment.md#{section}")


def firestore(section: str) -> Source:
    """A section of the Firestore format."""
    return Source(SourceKind.CONTRACT, f"docs/contract/firestore.md#{section}")


GRADES = {
    Grade.CONTRACT: marked("breaks the contract"),
    Grade.OPENAPI: marked("breaks its own OpenAPI"),
    Grade.ADVICE: marked("advice"),
}
FINDINGS = {
    Finding.STATUS: marked("wrong status"),
    Finding.BODY: marked("wrong body"),
    Finding.LEAK: marked("leaked data"),
    Finding.EFFECT: marked("wrong effect"),
}
DOCUMENT = marked("design document, {section}")
