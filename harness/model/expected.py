"""The judgements that a plan asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from harness.model.judgement import Kind


class Expected(NamedTuple):
    """A judgement that a plan asks for, by its ``part`` and ``id``. One whose id is its ``claim`` is there when any
    judgement of the part is about the claim. It must rest on ``least`` samples at least."""

    part: str
    id: str
    claim: str = ""
    least: int = 0
    kind: Kind = Kind.CRITERION


def expected_of(
    claims: Iterable[tuple[str, str]], *, part: str = "", kind: Kind = Kind.CRITERION, least: int = 0
) -> list[Expected]:
    """Each id of a table with its claim, in one part."""
    return [Expected(part, id_, claim, least, kind) for id_, claim in claims]
