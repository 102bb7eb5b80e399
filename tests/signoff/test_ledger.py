"""The ledger of the month against arithmetic by hand, and its line at the claims that only a month shows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.base.units import Unit
from harness.model.message import message
from harness.model.result import MeasuredFact, Part
from harness.model.stack import EnvironmentKind
from harness.report.signoff.ledger import MonthCalendar, MonthEvent, ledger
from harness.report.signoff.states import standings
from harness.report.signoff.types import ClaimState, StoredResult
from tests.corpus.today import whole
from tests.register import REGISTER
from tests.signoff.made import ASKED, stored


def event(a_month: float, of: str) -> MonthEvent:
    return MonthEvent(title=of, a_month=a_month, source="by hand", rehearsal="chaos", fact="outage_s", of=of)


def taking(folder: str = "run", status: int = 0, more: Any = None, **outages: float) -> StoredResult:
    """A run in which each case had an outage of so many seconds."""
    facts = tuple(
        MeasuredFact(name="outage_s", case=case, seen=took_s, unit=Unit.SECONDS, told=(message("seen"),))
        for case, took_s in outages.items()
    )
    found = stored(folder, rehearsal="chaos", status=status, **(more or {}))
    return msgspec.structs.replace(found, result=msgspec.structs.replace(found.result, measured=facts))


def of_calls(failed: int, of: int, took_s: float) -> StoredResult:
    """A run of which so many calls failed in a part of so many seconds."""
    found, parts = taking(), (Part(name="1", title=message("one"), seconds=took_s),)
    fact = MeasuredFact(name="outage_s", part="1", case="calls", seen=failed, of=of, told=(message("seen"),))
    return msgspec.structs.replace(found, result=msgspec.structs.replace(found.result, measured=(fact,), parts=parts))


def lines(budget_s: float, *events: MonthEvent, runs: tuple[StoredResult, ...]) -> list[str]:
    return [str(each) for each in ledger(MonthCalendar(budget_s=budget_s, events=events), runs, ASKED)]


def shares(forecast: str) -> list[float]:
    """The percentages that it says: as seen, at worst, at best."""
    return [float(before.split()[-1]) for before in forecast.split(" %")[:3]]


def test_one_event_keeps_the_months_that_have_few_of_it() -> None:
    """30 s twice a month: 60 s on average, and 60 s are kept by 0, 1 or 2 of them: e^-2 (1 + 2 + 2) = 67.67 %."""
    forecast, total, line = lines(60, event(2, "a"), runs=(taking(a=30),))
    assert shares(forecast) == pytest.approx([67.67] * 3, abs=0.6)  # four sigmas of 100,000
    assert total == "a mean month takes 60 s, 60 s to 60 s"
    assert line == "a: 2 a month (by hand) x 30 s, 30 s to 30 s (kind, run)"


def test_of_two_events_the_sums_that_fit_are_kept() -> None:
    """100 s fit once, or 50 s up to twice: e^-2 (1 + 1 + 1/2 + 1) = 47.37 %."""
    forecast, total, *_ = lines(100, event(1, "a"), event(1, "b"), runs=(taking(a=100, b=50),))
    assert shares(forecast) == pytest.approx([47.37] * 3, abs=0.65)
    assert total.startswith("a mean month takes 150 s")


def test_failed_calls_take_their_share_of_their_part_with_its_bounds() -> None:
    """None of 299 failed in 100 s: at most 1 - 0.05^(1/299) = 0.997 s. A thousand a month take 997 s at most, and 900 s
    have room for 902 of them: 3.08 sigmas below, in 0.1 % of the months."""
    forecast, total, line = lines(900, event(1000, "calls"), runs=(of_calls(0, 299, 100),))
    share, low, high = shares(forecast)
    assert (share, high) == (100, 100) and low == pytest.approx(0.1, abs=0.05)
    assert total == "a mean month takes 0 s, 0 s to 996.9 s" and "x 0 s, 0 s to 0.9969 s" in line


def test_the_newest_run_that_counts_of_the_most_real_environment_holds() -> None:
    local, day = {"rung": EnvironmentKind.LOCAL}, "2026-01-0{}T00:00:00.000Z"
    runs = (
        taking("old", more={"started_utc": day.format(7)}, a=1), taking("new", more={"started_utc": day.format(8)}, a=2),
        taking("local", more=local, a=3), taking("sim", more={"rung": EnvironmentKind.SIM}, a=4),
        taking("other", more={"target": "another"}, a=5), taking("broke", status=31, a=6),
    )  # fmt: skip
    forecast, _, line = lines(60, event(1, "a"), event(1, "zone"), runs=runs)
    assert line.endswith("(kind, new)") and "not counted, for no run: zone" in forecast
    assert lines(60, event(1, "a"), runs=runs[2:3])[-1].endswith("(local, local)")
    assert lines(60, event(1, "a"), runs=runs[3:]) == []


def test_objectives_stay_not_shown_and_tell_the_forecast() -> None:
    told = ledger(planfile.bundled("ledger", MonthCalendar), real(), ASKED)
    forecast, _, deploy, kill, failover, restore = map(str, told)
    assert "drawn months keep 43 minutes of outage" in forecast and "node upgrade, zone lost" in forecast
    assert "x 0 s, 0 s to 0.0897" in deploy and "x 0.2142 s" in kill  # 4 of 164 calls in 8.78 s
    assert "x 3.27 s" in failover and "x 112.8 s, 112.8 s to 174.8 s" in restore
    found = {each.claim: each for each in standings(REGISTER, real(), ASKED, ledger=told)}
    for claim in ("slo.availability", "slo.latency_p95", "slo.error_ratio"):
        assert found[claim].state is ClaimState.NOT_SHOWN and told[0] in found[claim].told
    assert found["slo.availability"].told[-len(told) :] == told and found["slo.error_ratio"].told[-1] == told[0]
    assert all(told[0] not in each.told for name, each in found.items() if not name.startswith("slo."))


def real() -> tuple[StoredResult, ...]:
    """Stored runs, as if they were of the target that is asked for, and of the bundled plans."""
    given = stored("run").result.facts
    return tuple(
        StoredResult(folder=name, result=msgspec.structs.replace(whole(name), facts=given))
        for name in ("deploy", "chaos_passes", "dr_restore")
    )
