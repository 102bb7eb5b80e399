"""The rendered rules in Prometheus' own evaluation (promtool): each alert fires, stays quiet and resolves when the
closed form says so, and our arithmetic is Prometheus' on drawn series, to the evaluation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest

from harness.base.seed import stream
from harness.rules.objectives.alerts import Alert, four
from harness.rules.objectives.counter import Counter, shares
from harness.rules.objectives.files import defined
from harness.rules.objectives.firing import AlertState, states
from harness.stack.kind.images import binaries
from tests.objectives.breach import Breach
from tests.objectives.promtool import Case, changes, check
from tests.objectives.series import Series, both_of, counted, drawn, series_of

pytestmark = pytest.mark.process

STEP_S, HOUR_S, DAY_S = 15, 3600, 86_400


def matchers(alert: Alert) -> str:
    """What names the alert among all."""
    return f'alertname="{alert.name}"' + (f',objective="{alert.objective}"' if alert.objective else "")


ALERTS = {alert.name + (f"/{alert.objective}" if "Budget" in alert.name else ""): alert for alert in four(defined())}
DRAWN, LASTS_S = 50, HOUR_S


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    """Built once a machine, by ``tests.session.builds`` where all tests run."""
    asyncio.run(binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",)))


def series(alert: Alert, shares: Sequence[float], each: float = 1000) -> Series:
    """The counters that an alert reads, with these bad shares from sample to sample."""
    of_errors = "rror" in alert.name and alert.objective not in ("availability", "latency")
    return series_of("errors" if of_errors else alert.objective, *counted(shares, each))


def planted(name: str, planted_share: float, lasts_s: int, step_s: int) -> tuple[Case, Breach]:
    """A breach that begins an hour of samples after a healthy beginning."""
    alert = ALERTS[name]
    breach = Breach(
        planted=planted_share, limit=alert.limit, window_s=alert.window_s, for_s=alert.for_s, every_s=step_s, lasts_s=lasts_s,
    )  # fmt: skip
    healthy = round(alert.window_s / step_s) + 4
    after = round((alert.window_s + alert.for_s) / step_s) + 8
    shares = [0.0] * healthy + [planted_share] * round(lasts_s / step_s) + [0.0] * after
    begun_s = healthy * step_s
    expected: list[tuple[int, bool]] = [(begun_s, False)]
    if breach.must_fire:
        assert breach.fires_after_s is not None
        assert breach.resolves_after_s is not None
        first, last = breach.fires_after_s
        expected += [
            (begun_s + int(first // step_s - 2) * step_s, False),
            (begun_s + int(last // step_s + 2) * step_s, True),
        ]
        expected.append((begun_s + int(breach.resolves_after_s[1] // step_s + 3) * step_s, False))
    else:
        assert not breach.may_fire
        expected += [(at * step_s, False) for at in range(healthy, len(shares), max(1, len(shares) // 40))]
    return Case(name=name, series=series(alert, shares), step_s=step_s, fires={matchers(alert): expected}), breach


#: By alert: the share and length of a breach that fires it, and of two that must not.
MINUTES = {
    "LatencyP95Above600ms": ((0.2, 1200), [(0.2, 420), (0.04, 3000)]),
    "ErrorRateAbove3Percent": ((0.25, 600), [(0.25, 210), (0.02, 3000)]),
}
DAYS = {
    "AvailabilityBelow99_5Percent": ((1.0, 6 * HOUR_S), [(1.0, 2 * HOUR_S), (0.4, 8 * HOUR_S)]),
    "ErrorBudgetAbove80Percent/availability": ((1.0, 2 * HOUR_S), [(0.2, 2 * HOUR_S)]),
    "ErrorBudgetAbove80Percent/errors": ((1.0, 4 * HOUR_S), [(0.5, 2 * HOUR_S)]),
    "ErrorBudgetAbove80Percent/latency": ((1.0, 10 * HOUR_S), [(1.0, 6 * HOUR_S), (0.035, 40 * HOUR_S)]),
}


@pytest.mark.parametrize("name", MINUTES)
def test_an_alert_that_is_held_for_minutes_fires_stays_quiet_and_resolves(name: str, tmp_path: Path) -> None:
    """To the evaluation; too short and too small a breach do not fire it."""
    fires, quiet = MINUTES[name]
    cases = [planted(name, *each, STEP_S) for each in (fires, *quiet)]
    assert [breach.must_fire for _, breach in cases] == [True, *(False for _ in quiet)]
    assert check(tmp_path, [case for case, _ in cases], STEP_S, {"as-written": [ALERTS[name].name]}) == ""


@pytest.mark.parametrize("name", DAYS)
def test_an_alert_over_days_fires_stays_quiet_and_resolves(name: str, tmp_path: Path) -> None:
    """By samples of two hours over its whole window."""
    step_s = 2 * HOUR_S
    fires, quiet = DAYS[name]
    cases = [planted(name, *each, step_s) for each in (fires, *quiet)]
    assert [breach.must_fire for _, breach in cases] == [True, *(False for _ in quiet)]
    assert check(tmp_path, [case for case, _ in cases], step_s, {"as-written": [ALERTS[name].name]}) == ""


def test_promtool_notices_a_wrong_expectation(tmp_path: Path) -> None:
    """The test's own judge: the same breach, expected one evaluation too early."""
    case, breach = planted("ErrorRateAbove3Percent", 0.25, 600, STEP_S)
    assert breach.fires_after_s is not None
    name, expected = next(iter(case.fires.items()))
    wrong = Case(name="wrong", series=case.series, step_s=STEP_S, fires={name: [(expected[1][0], True)]})
    assert "got: nil" in check(tmp_path, [wrong], STEP_S, {"as-written": ["ErrorRateAbove3Percent"]})


# -- our arithmetic and Prometheus' -------------------------------------------------------------------------------------

EVALUATED_S = np.arange(0, LASTS_S + 1, STEP_S)


def failing(bad: Counter, good: Counter) -> Iterator[tuple[int, bool]]:
    """By our own arithmetic: whether the alert on errors holds at each evaluation."""
    alert = ALERTS["ErrorRateAbove3Percent"]
    found = shares(bad, [bad, good], EVALUATED_S * 1000, round(alert.window_s * 1000)) > alert.limit
    return zip(EVALUATED_S.tolist(), found.tolist(), strict=True)


def slow(good: Counter, both: Counter) -> Iterator[tuple[int, bool]]:
    """The same of the p95: it is above 600 ms when fewer than 95 % are in the bucket up to there."""
    alert = ALERTS["LatencyP95Above600ms"]
    found = shares(good, [both], EVALUATED_S * 1000, round(alert.window_s * 1000)) < 1 - alert.limit
    return zip(EVALUATED_S.tolist(), found.tolist(), strict=True)


def replaced(chance: Random, bad: Sequence[float], good: Sequence[float]) -> tuple[list[float], list[float]]:
    """The counters of a process that was replaced by another: they begin again."""
    at = chance.randrange(20, len(bad) - 20)
    first, second = ([v - (values[at] if n >= at else 0) for n, v in enumerate(values)] for values in (bad, good))
    return first, second


def test_our_arithmetic_is_prometheus_on_drawn_series(tmp_path: Path) -> None:
    """50 series, with counters that are reset: the same evaluations fire, of two rules each. Each is a job of its own,
    as the rules go by jobs: promtool has one database to open, not 50."""
    series: dict[str, Sequence[float]] = {}
    fires: dict[str, Sequence[tuple[int, bool]]] = {}
    fired = 0
    for number in range(DRAWN):
        chance = stream(number, "objectives:drawn")
        bad, good = counted(drawn(chance, LASTS_S // STEP_S), chance.choice([40, 300, 2000]))
        if number % 3 == 0:
            bad, good = replaced(chance, bad, good)
        times = [n * STEP_S * 1000 for n in range(len(bad))]
        counters = [Counter(times, values) for values in (bad, good, both_of(bad, good))]
        found = {
            "ErrorRateAbove3Percent": states(failing(counters[0], counters[1]), 300),
            "LatencyP95Above600ms": states(slow(counters[1], counters[2]), 600),
        }
        fired += sum(AlertState.FIRING in {state for _, state in each} for each in found.values())
        for name, each in found.items():
            fires[f'{matchers(ALERTS[name])},job="drawn-{number}"'] = changes(each)
        for name, values in (series_of("errors", bad, good) | series_of("latency", bad, good)).items():
            series[name.replace("tekutoko-api", f"drawn-{number}")] = values
    assert fired > DRAWN / 2  # the draw is not of quiet series
    case = Case(name="drawn", step_s=STEP_S, series=series, fires=fires)
    assert check(tmp_path, [case], STEP_S, {"as-written": [*found]}) == ""
