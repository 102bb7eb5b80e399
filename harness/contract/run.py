"""How one check ended."""

from __future__ import annotations

import msgspec

from harness.contract.grade import Finding, Grade, Source
from harness.model.message import Message


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """What a target did otherwise than a sentence says; what is no message is data, as it was sent or answered."""

    expected: str | Message
    got: str | Message
    grade: Grade
    finding: Finding


class CheckRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check as it ran; one without ``deviation``, ``lacking`` and ``broken`` found nothing wrong.

    ``sentence`` is that of ``source``. ``lacking`` says why it could not be tried (what it builds on is missing or
    deviates), which holds nothing up where it is ``allowed``; ``broken`` what failed of the rehearsal's own parts.
    ``curl`` and ``request_file`` (raw bytes) show a deviation. ``decided`` are the sentences of the team's OpenAPI file
    that stood in the place of the contract's.
    """

    id: str
    sentence: str
    source: Source | None = None
    deviation: Deviation | None = None
    lacking: Message | None = None
    allowed: bool = False
    broken: str = ""
    curl: str = ""
    request_file: str = ""
    seconds: float = 0.0
    decided: tuple[str, ...] = ()
