"""How one check ended.

What a deviation breaks, what kind of finding it is, and where the sentence that it breaks comes from.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.message import Message, gettext_noop


class Grade(StrEnum):
    """The more severe first (docs/contract/README.md#three-grades). Advice alone never fails the command."""

    CONTRACT = "breaks_the_contract"
    OPENAPI = "breaks_its_own_openapi"
    ADVICE = "advice"


class DeviationKind(StrEnum):
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


class SentenceSource(msgspec.Struct, frozen=True):
    """Where a sentence comes from."""

    kind: SourceKind
    place: str

    def __str__(self) -> str:
        """In English, on one line."""
        return f"design document, {self.place}" if self.kind is SourceKind.DOCUMENT else self.place


def document(section: str) -> SentenceSource:
    """The section of the design document with that heading."""
    return SentenceSource(SourceKind.DOCUMENT, section)


def walk_api(section: str) -> SentenceSource:
    """A section of the walk API's page."""
    return SentenceSource(SourceKind.CONTRACT, f"docs/contract/walk-api.md#{section}")


def environment(section: str) -> SentenceSource:
    """A section of the environment contract."""
    return SentenceSource(SourceKind.CONTRACT, f"docs/contract/environment.md#{section}")


def firestore(section: str) -> SentenceSource:
    """A section of the Firestore format."""
    return SentenceSource(SourceKind.CONTRACT, f"docs/contract/firestore.md#{section}")


GRADES = {
    Grade.CONTRACT: gettext_noop("breaks the contract"),
    Grade.OPENAPI: gettext_noop("breaks its own OpenAPI"),
    Grade.ADVICE: gettext_noop("advice"),
}
FINDINGS = {
    DeviationKind.STATUS: gettext_noop("wrong status"),
    DeviationKind.BODY: gettext_noop("wrong body"),
    DeviationKind.LEAK: gettext_noop("leaked data"),
    DeviationKind.EFFECT: gettext_noop("wrong effect"),
}
DOCUMENT = gettext_noop("design document, {section}")


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """What a target did otherwise than a sentence says; what is no message is data, as it was sent or answered."""

    expected: str | Message
    got: str | Message
    grade: Grade
    finding: DeviationKind


class CheckRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check as it ran; one without ``deviation``, ``lacking`` and ``broken`` found nothing wrong.

    ``sentence`` is that of ``source``. ``lacking`` says why it could not be tried (what it builds on is missing or
    deviates), which holds nothing up where it is ``allowed``; ``broken`` what failed of the rehearsal's own parts.
    ``curl`` and ``request_file`` (raw bytes) show a deviation. ``decided`` are the sentences of the team's OpenAPI file
    that stood in the place of the contract's.
    """

    id: str
    sentence: str
    source: SentenceSource | None = None
    deviation: Deviation | None = None
    lacking: Message | None = None
    allowed: bool = False
    broken: str = ""
    curl: str = ""
    request_file: str = ""
    seconds: float = 0.0
    decided: tuple[str, ...] = ()
