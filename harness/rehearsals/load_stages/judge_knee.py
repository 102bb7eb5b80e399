"""The search for the knee: the highest rate that keeps the limits. Pure: results so far in, next rate or answer out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import Knee, KneePlan

#: A rate has broken when it was not kept in so many tries.
TRIES = 2


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that was tried.

    ``generator_limited``, ``unspread``, ``rate_limited``, ``without_photos``, ``incomplete`` (requests of it are not in
    evidence, and could tell): the step says nothing of the target (or of it beside photos), however it looks.
    """

    rate_per_s: float
    verdict: Verdict
    generator_limited: bool = False
    unspread: bool = False
    rate_limited: bool = False
    without_photos: bool = False
    incomplete: bool = False

    @property
    def mute(self) -> bool:
        """Whether the step says nothing."""
        unlike = self.generator_limited or self.unspread or self.rate_limited
        return unlike or self.without_photos or self.incomplete


def next_rate(plan: KneePlan, first_rate_per_s: float, tried: Sequence[Tried]) -> float | None:
    """The next rate to try, in requests/s, from ``first_rate_per_s`` on; ``None`` when the search is over.

    A rate that was not kept is tried once more before it bounds: pods that have just started, or a hiccup of the
    machine, break a short step at any rate. A step that cannot tell counts as not kept: the knee is what was shown, not
    what was hoped for.
    """
    if not tried:
        return first_rate_per_s
    if tried[-1].mute and _muted_twice(tried):
        return None
    if tried[-1].mute or _tried_once(tried):
        return tried[-1].rate_per_s
    good, broken = _bracket(tried)
    if broken is None:
        return None if good is None or good >= plan.most_rate_per_s else min(2 * good, plan.most_rate_per_s)
    if good is None:  # not even the first rate is kept: go down, to a tenth of it at most
        return broken / 2 if broken > first_rate_per_s / 10 else None
    return None if broken / good <= 1 + plan.precision else math.sqrt(good * broken)


def _muted_twice(tried: Sequence[Tried]) -> bool:
    """On a shared machine one hiccup is no limit; twice in a row it is."""
    return len(tried) > 1 and tried[-2].mute


def _tried_once(tried: Sequence[Tried]) -> bool:
    """Whether the last rate was not kept, and not yet as often as bounds."""
    return tried[-1].verdict is not Verdict.PASS and len(_verdicts(tried)[tried[-1].rate_per_s]) < TRIES


def knee(plan: KneePlan, pods: int, tried: Sequence[Tried]) -> Knee:
    """What the finished search found; it made one try at least."""
    good, broken = _bracket(tried)
    if tried[-1].mute:
        shown = message("no rate was shown") if good is None else message("at least {rate}/s", rate=f"{good:.1f}")
        return _knee(pods, good, broken, Verdict.INCONCLUSIVE, shown, _why_mute(tried[-1]))
    if good is None:
        lowest = f"{min(t.rate_per_s for t in tried):.1f}"
        none = message("no rate down to {rate}/s kept the limits", rate=lowest)
        return _knee(pods, None, broken, Verdict.FAIL, none)
    if broken is None:
        rates = {"kept": f"{good:.1f}", "most": f"{plan.most_rate_per_s:g}"}
        most = message("{kept}/s kept, and nothing above was tried (most {most}/s)", **rates)
        return _knee(pods, good, None, Verdict.INCONCLUSIVE, most)
    rates = {"kept": f"{good:.1f}", "broken": f"{broken:.1f}", "tries": str(TRIES)}
    both = message("{kept}/s kept the limits, {broken}/s did not in {tries} tries", **rates)
    return _knee(pods, good, broken, Verdict.PASS, both)


def _why_mute(last: Tried) -> Message:
    if last.generator_limited:
        return message("the generator was the limit above")
    if last.unspread:
        return message("above, the load was not spread over the pods")
    if last.rate_limited:
        return message("above, the API's rate limiter answered")
    if last.incomplete:
        return message("above, requests that were due are not in evidence")
    return message("above, the photos beside it were not uploaded")


def _knee(pods: int, good: float | None, broken: float | None, verdict: Verdict, *told: Message) -> Knee:
    return Knee(pods=pods, rate_per_s=good, broken_per_s=broken, verdict=verdict, told=told)


def _bracket(tried: Sequence[Tried]) -> tuple[float | None, float | None]:
    """The lowest rate not kept in any try, and the highest kept below it: a noisy pass above that is not the knee."""
    told = _verdicts(tried)
    broken = min((rate for rate, verdicts in told.items() if _broken(verdicts)), default=None)
    kept = (rate for rate, verdicts in told.items() if Verdict.PASS in verdicts)
    return max((rate for rate in kept if broken is None or rate < broken), default=None), broken


def _broken(verdicts: Sequence[Verdict]) -> bool:
    return len(verdicts) >= TRIES and Verdict.PASS not in verdicts


def _verdicts(tried: Sequence[Tried]) -> dict[float, list[Verdict]]:
    """What the steps that say something told of each rate."""
    told: dict[float, list[Verdict]] = {}
    for attempt in tried:
        if not attempt.mute:
            told.setdefault(attempt.rate_per_s, []).append(attempt.verdict)
    return told
