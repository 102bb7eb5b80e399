"""Was every client off the API within five minutes of the flag's publish? (ロールバック手順 2.) Pure, of any run.

``switch_over`` follows the clients of a roll back as it happens; this looks at the evidence of every ``false`` that
stood: no request may have been sent to the API once the limit had passed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import msgspec

from harness.model.evidence import EventRow, RequestRow, Side
from harness.model.message import Told, message

NS = 1_000_000_000
FLAG = "use_go_backend"


class OffInTime(msgspec.Struct, frozen=True, kw_only=True):
    """``offs`` are publishes of ``false`` that stood for the whole limit, ``short`` those that did not.

    ``late`` are users who sent to the API after the limit.
    """

    offs: int
    short: int
    late: tuple[str, ...]
    limit_s: float

    @property
    def told(self) -> Told:
        """All counts, for people."""
        return (
            message(
                "the flag went off {times} times, {offs} of them for {limit} s or more: {late} users sent to the API "
                "after that",
                times=str(self.offs + self.short),
                offs=str(self.offs),
                limit=f"{self.limit_s:g}",
                late=str(len(self.late)),
            ),
        )


def off_in_time(
    events: Iterable[EventRow], requests: Iterable[RequestRow], *, limit_s: float, end_ns: int
) -> OffInTime:
    """``events`` of kind "flag" on ``FLAG`` carry ``on``: for how many users. The evidence ends at ``end_ns``."""
    published = sorted(
        (event.at_ns, int(event.data["on"]))
        for event in events
        if event.kind == "flag" and event.subject == FLAG and "on" in event.data
    )
    ends = itertools.pairwise([*published, (end_ns, 0)])  # none where nothing was ever published
    stretches = [(at_ns, to_ns) for (at_ns, on), (to_ns, _) in ends if not on]
    limit_ns = round(limit_s * NS)
    whole = [(at_ns, to_ns) for at_ns, to_ns in stretches if to_ns - at_ns >= limit_ns]
    late = {row.user for row in requests if row.side is Side.API and _after(row.sent_ns, whole, limit_ns)}
    return OffInTime(offs=len(whole), short=len(stretches) - len(whole), late=tuple(sorted(late)), limit_s=limit_s)


def _after(sent_ns: int, stretches: Sequence[tuple[int, int]], limit_ns: int) -> bool:
    return any(at_ns + limit_ns < sent_ns < to_ns for at_ns, to_ns in stretches)
