"""The page as data, from what was found and the page of last time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.model.claim import Claim
from harness.model.message import Message, message
from harness.signoff.links import short
from harness.signoff.states import blocked, runs, standings
from harness.signoff.types import Asked, Change, Signoff, Standing, Stored


def document(
    register: Mapping[str, Claim],
    stored: Sequence[Stored],
    asked: Asked,
    *,
    unreadable: tuple[str, ...] = (),
    previous: Signoff | None = None,
) -> Signoff:
    """The page of ``asked``. One of another target is no ``previous`` one."""
    found = standings(register, stored, asked)
    before = previous if previous is not None and previous.asked.target == asked.target else None
    return Signoff(
        asked=asked,
        blocked=blocked(found),
        standings=found,
        runs=runs(stored, asked),
        unreadable=unreadable,
        previous_utc="" if before is None else before.asked.now_utc,
        other=() if before is None else tuple(_other(before.asked, asked)),
        changes=() if before is None else tuple(_changes(before.standings, found)),
    )


def _other(before: Asked, now: Asked) -> Iterator[Message]:
    """What claims may stand elsewhere by, though nothing was run in between. A program has digests of itself and of its
    image, of which one may not be known: where Docker did not answer, or the image was not built yet."""
    one, other = {*before.digests}, {*now.digests}
    if not (one <= other or other <= one):
        yield message("It was of another program or image ({digests}).", digests=", ".join(map(short, before.digests)))
    if before.harness_digest and now.harness_digest and before.harness_digest != now.harness_digest:
        yield message("Another version of this repository made it.")


def _changes(before: Sequence[Standing], now: Sequence[Standing]) -> Iterator[Change]:
    """The claims whose state is another; one that the register did not have is none."""
    states = {each.claim: each.state for each in before}
    for each in now:
        if (was := states.get(each.claim, each.state)) is not each.state:
            yield Change(claim=each.claim, before=was, now=each.state)
