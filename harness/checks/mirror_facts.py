"""The facts of the steps in which the mirror is stopped: the share of each, and what a roll back loses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from harness.base.message import gettext_noop
from harness.checks.mirror_steps import CLAIM_FALLBACK, CLAIM_STOP
from harness.model.judgement import Expected
from harness.model.message import Message, message
from harness.model.mirror import MirrorStep
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.rule import Fact, FactsOf

_CONFIDENCE = 0.995  # a share that is as asked for is called wrong in at most 1 % of runs
PHRASES = {
    "share.asked_ratio": gettext_noop("a share of {seen} was asked for"),
    "share.mirrored_ratio": gettext_noop("{mirrored} of {of} walks written at {share} % reached Firestore"),
    "share.needed": gettext_noop("{seen} written walks tell the share from another"),
    "roll_back.different": gettext_noop("{seen} documents differ"),
    "roll_back.lost_walks": gettext_noop("{counts}"),
}


def expected(shares_percent: Iterable[int], part: str = "") -> list[Expected]:
    """What each share that the mirror is brought to is judged by."""
    of_each = {"mirror.share": CLAIM_STOP, "mirror.rollback_after": CLAIM_FALLBACK}
    return [Expected(part, f"{id_}_{share}", claim) for share in shares_percent for id_, claim in of_each.items()]


def facts(steps: Iterable[MirrorStep], part: str = "") -> Iterator[Fact]:
    """The facts of each step, which is the case of its share in per cent."""
    for step in steps:
        fact = FactsOf(PHRASES, part, str(step.share_percent))
        share = step.share_percent / 100
        yield fact("share.asked_ratio", share)
        yield _mirrored(fact, step, share)
        yield fact("share.needed", next(n for n in count(1) if _tells(share, n)))
        yield fact("roll_back.different", step.different)
        lost = step.missing + step.stale + step.come_back + step.different
        yield fact("roll_back.lost_walks", lost, of=step.walks, examples=step.examples, counts=loss(step))


def _mirrored(fact: FactsOf, step: MirrorStep, share: float) -> Fact:
    """The share that reached Firestore. Where a part of the walks is drawn, it lies in the sample's interval."""
    low: float | None = None
    high: float | None = None
    ends: tuple[Message, ...] = ()
    if not step.written:
        low, high = 0.0, 1.0
    elif 0 < share < 1:
        low = ratio_lower(step.mirrored, step.written, _CONFIDENCE)
        high = ratio_upper(step.mirrored, step.written, _CONFIDENCE)
        ends = (message("a share of {low} to {high} %", low=f"{low * 100:.0f}", high=f"{high * 100:.0f}"),)
    return fact(
        "share.mirrored_ratio", step.mirrored / step.written if step.written else None, low=low, high=high,
        of=step.written, besides=ends, mirrored=str(step.mirrored), share=str(step.share_percent),
    )  # fmt: skip


def _tells(share: float, written: int) -> bool:
    """Whether so many walks tell the share from all and from nothing; those from a half."""
    nothing, all_ = ratio_upper(0, written, _CONFIDENCE), ratio_lower(written, written, _CONFIDENCE)
    return nothing < share < all_ if 0 < share < 1 else nothing < 0.5 < all_


def loss(step: MirrorStep) -> Message:
    """What a roll back after the step would lose, in a sentence."""
    return message(
        "a flag-off after {share} % would lose {missing} walks and the last state of {stale} more ({locations} "
        "locations, {users} users), and bring {back} deleted walks back; {different} documents differ; of {walks} "
        "walks",
        share=str(step.share_percent),
        missing=str(step.missing),
        stale=str(step.stale),
        locations=str(step.lost_locations),
        users=str(len(step.losses)),
        back=str(step.come_back),
        different=str(step.different),
        walks=str(step.walks),
    )
