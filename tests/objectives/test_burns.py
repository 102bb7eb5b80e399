"""Sloth's burn-rate rules by the real promtool: of each objective the page and the ticket fire when the closed form of
their windows says so, stay quiet just below, and our own arithmetic is Prometheus' on drawn series."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.base.seed import stream
from harness.rules.objectives import counter
from harness.rules.objectives.counter import Counter
from harness.rules.objectives.files import defined
from harness.rules.objectives.firing import AlertState, states
from harness.rules.objectives.sloth import BURNS, Burn, Objective
from harness.stack.kind.images import binaries
from tests.objectives.breach import Breach
from tests.objectives.promtool import Case, changes, check
from tests.objectives.series import counted, drawn, series_of

pytestmark = pytest.mark.process

OBJECTIVES = {each.name: each for each in defined()}
PAGES = pytest.mark.parametrize("pages", [True, False], ids=["page", "ticket"])
HOUR_S = 3600
#: Of a page and of a ticket: as coarse as the shortest window of each allows, two samples of it.
STEP_S = {True: 150, False: HOUR_S}
EACH, DRAWN = 1_000_000, 2


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    """Built once a machine, by ``tests.session.builds`` where all tests run."""
    asyncio.run(binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",)))


def recorded(objective: Objective, *, pages: bool) -> list[str]:
    """Its alert, and the recorded shares that the page or the ticket reads."""
    words = {
        300: "5m",
        1800: "30m",
        HOUR_S: "1h",
        2 * HOUR_S: "2h",
        6 * HOUR_S: "6h",
        24 * HOUR_S: "1d",
        72 * HOUR_S: "3d",
    }
    windows = {each for burn in BURNS[objective.days] if burn.pages is pages for each in (burn.short_s, burn.long_s)}
    return [objective.alert, *(f"slo:sli_error:ratio_rate{words[each]}" for each in windows)]


def matchers(objective: Objective, *, pages: bool) -> str:
    """What names the alert among all."""
    return f'alertname="{objective.alert}",sloth_severity="{"page" if pages else "ticket"}"'


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """A steady bad share from a healthy beginning on, for ``lasts_s``, beside one pair of windows."""

    objective: Objective
    burn: Burn
    share: float
    lasts_s: float

    def over(self, window_s: int) -> Breach:
        """The closed form over one window."""
        limit = self.burn.rate(self.objective.days) * self.objective.budget
        return Breach(
            planted=self.share, limit=limit, window_s=window_s, for_s=0, every_s=STEP_S[self.burn.pages], lasts_s=self.lasts_s,
        )  # fmt: skip

    @property
    def fires_s(self) -> float:
        """When the long window is above the limit; infinite: never. The short one is by then."""
        crossed_s = self.over(self.burn.long_s).crosses_after_s
        return math.inf if crossed_s is None else crossed_s

    @property
    def resolves_s(self) -> float:
        """When the short window is below it again; 0 where the long one never was above."""
        resolves = self.over(self.burn.short_s).resolves_after_s
        return 0.0 if resolves is None or self.fires_s == math.inf else resolves[0]


def course(objective: Objective, share_: float, until_s: float, *, pages: bool) -> Case:
    """That share for ``until_s``, and what the closed form of both pairs of windows then says, to the evaluation."""
    step_s = STEP_S[pages]
    pairs = [burn for burn in BURNS[objective.days] if burn.pages is pages]
    lasting = math.ceil(until_s / step_s) * step_s
    bursts = [Burst(objective=objective, burn=burn, share=share_, lasts_s=lasting) for burn in pairs]
    healthy, ill = max(burn.long_s for burn in pairs) // step_s, lasting // step_s
    fires_s, resolves_s = min(each.fires_s for each in bursts), max(each.resolves_s for each in bursts)
    after = math.ceil(max(0.0, resolves_s - lasting) / step_s) + 2
    begun_s, end_s = healthy * step_s, (healthy + ill + after) * step_s
    expected = [(begun_s, False), (end_s, False)]
    if fires_s < math.inf:
        first_s, last_s = (begun_s + math.floor(each / step_s) * step_s for each in (fires_s, resolves_s))
        expected += [(first_s - step_s, False), (first_s + step_s, True)]
        expected += [(last_s - step_s, True), (last_s + 2 * step_s, False)]
    else:
        expected += [(at_s, False) for at_s in range(begun_s, end_s, 4 * step_s)]
    series = series_of(objective.name, *counted([0.0] * healthy + [share_] * ill + [0.0] * after, EACH))
    return Case(
        name=f"{objective.name} {share_:g} for {lasting / HOUR_S:g} h", series=series, step_s=step_s,
        fires={matchers(objective, pages=pages): sorted(set(expected))},
    )  # fmt: skip


def shares(objective: Objective, *, pages: bool) -> tuple[float, float, float, float]:
    """Above both limits, between the two, just below the higher one, just below the lower one."""
    quick, slow = (
        burn.rate(objective.days) * objective.budget for burn in BURNS[objective.days] if burn.pages is pages
    )
    return min(1.0, 2 * quick), (slow + quick) / 2, 0.98 * quick, 0.98 * slow


def planted(objective: Objective, *, pages: bool) -> list[Case]:
    """One course of each share, to a little behind the moment at which it must fire: of the last, for longer than any
    window is."""
    found = []
    for share_ in shares(objective, pages=pages):
        pairs = [burn for burn in BURNS[objective.days] if burn.pages is pages]
        forever = [Burst(objective=objective, burn=burn, share=share_, lasts_s=math.inf) for burn in pairs]
        fires_s = min(each.fires_s for each in forever)
        until_s = max(burn.long_s for burn in pairs) if fires_s == math.inf else fires_s
        found.append(course(objective, share_, until_s + 4 * STEP_S[pages], pages=pages))
    return found


@PAGES
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_burn_rate_alert_fires_by_its_windows_and_is_quiet_just_below(
    name: str, *, pages: bool, tmp_path: Path
) -> None:
    """Within one evaluation of the closed form, by each pair of windows; and it resolves by the short one."""
    cases = planted(OBJECTIVES[name], pages=pages)
    fire = [any(on for expected in case.fires.values() for _, on in expected) for case in cases]
    assert fire == [True, True, True, False]
    rules = {name: recorded(OBJECTIVES[name], pages=pages)}
    assert check(tmp_path, cases, STEP_S[pages], rules) == ""


@PAGES
def test_promtool_notices_a_burn_rate_that_is_another(*, pages: bool, tmp_path: Path) -> None:
    """The test's own judge: the limits of a budget that is 4 % larger."""
    right = OBJECTIVES["errors"]
    cases = planted(msgspec.structs.replace(right, target=right.target - 0.0004), pages=pages)
    assert "got: " in check(tmp_path, cases[-1:], STEP_S[pages], {"errors": recorded(right, pages=pages)})


# -- our arithmetic and Prometheus' -------------------------------------------------------------------------------------


def burnt(
    objective: Objective, bad: Sequence[float], good: Sequence[float], step_s: int, *, pages: bool
) -> list[tuple[int, AlertState]]:
    """By our own arithmetic, at each evaluation."""
    times_ms = np.arange(len(bad)) * step_s * 1000
    wrong, right = Counter(times_ms.tolist(), bad), Counter(times_ms.tolist(), good)
    held = objective.burns(
        lambda window_s: counter.shares(wrong, [wrong, right], times_ms, window_s * 1000), pages=pages
    )
    return states(zip((times_ms // 1000).tolist(), held.tolist(), strict=True), 0)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_our_arithmetic_is_sloth_s_rules_on_drawn_series(name: str, tmp_path: Path) -> None:
    """Pages and tickets of two drawn hours each, whose shares are recorded first."""
    objective, step_s, cases, fired = OBJECTIVES[name], 15, [], 0
    for number in range(DRAWN):
        chance = stream(number, "objectives:drawn")
        bad, good = counted(drawn(chance, HOUR_S // step_s), 300)
        found = {pages: burnt(objective, bad, good, step_s, pages=pages) for pages in (True, False)}
        fired += sum(AlertState.FIRING in {state for _, state in each} for each in found.values())
        fires = {matchers(objective, pages=pages): changes(each) for pages, each in found.items()}
        cases.append(Case(name=f"burnt {number}", series=series_of(name, bad, good), step_s=step_s, fires=fires))
    assert fired > DRAWN / 2  # the draw is not of quiet series
    wanted = {each for pages in (True, False) for each in recorded(objective, pages=pages)}
    assert check(tmp_path, cases, step_s, {name: sorted(wanted)}) == ""
