"""A target wrong on purpose: every planted deviation is found by the checks that must find it, and nothing else is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.checks.contract import reach as beside
from harness.checks.contract.check import chosen
from harness.checks.contract.logs import Logs
from harness.rehearsals.conformance.checks import ALL, operations
from tests.conformance.expected import EXPECTED, OF_OUR_OWN, STOPS, UNTRIED
from tests.conformance.outcomes import Outcome, ended
from tests.conformance.targets import documents_of, following, one_pod, results, wrong
from tests.conformance.wrong_target import PLANTS
from tests.stack.rungs import local

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never comes is not waited for as long as for a stranger's target."""
    monkeypatch.setattr(operations, "NOTICED_S", 4.0)


@pytest.mark.parametrize("seeds", [(1,), pytest.param((2, 3), marks=pytest.mark.nightly)], ids=["once", "twice"])
async def test_all_planted_deviations_are_found_and_none_invented(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    """At night twice on the same stack, in two orders: what was there before changes nothing."""
    stack = local(tmp_path, target=wrong(*EXPECTED), manifests_=one_pod())
    try:
        await stack.up()
        async with documents_of(stack) as documents:
            logs = Logs(tmp_path / "logs", stack._clock)
            watch = asyncio.ensure_future(following(stack, logs))
            rounds = [await results(stack, documents, logs, ALL, tmp_path, seed=seed) for seed in seeds]
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
    finally:
        await stack.down()
    assert stack.leaks() == []
    assert len(rounds) == len(seeds)
    for found in rounds:
        assert len(found) == len(ALL)
        assert ended(found, Outcome.MEASUREMENT_ERROR) == set()
        planted = set[str]().union(*EXPECTED.values())
        advised = ended(found, Outcome.ADVICE)
        assert advised >= OF_OUR_OWN
        deviating = {name: found[name] for name in ended(found, Outcome.DEVIATION) | advised - OF_OUR_OWN}
        assert set(deviating) == planted, {n: deviating.get(n) for n in set(deviating) ^ planted}
        assert ended(found, Outcome.NOT_EXERCISED) == UNTRIED
        for name, result in deviating.items():
            assert result.deviation is not None and result.deviation.expected and result.deviation.got, name
            if not name.startswith("stop."):
                assert result.curl.startswith("curl -i -X "), name
                assert (tmp_path / result.request_file).stat().st_size > 0


@pytest.mark.parametrize(
    ("deviation", "expected", "untried"),
    [
        ("requests_cut", STOPS["requests_cut"], set()),
        ("sigterm_ignored", STOPS["sigterm_ignored"], {"stop.exit_status"}),
    ],
)
async def test_a_target_that_stops_wrongly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deviation: str, expected: set[str], untried: set[str]
) -> None:
    if deviation == "sigterm_ignored":  # it never ends: a second shows that as well as ten
        monkeypatch.setattr(beside, "STOP_LIMIT_S", 1.0)
        monkeypatch.setattr(beside, "_SLACK_S", 0.5)
    stack = local(tmp_path, target=wrong(deviation), manifests_=one_pod())
    try:
        await stack.up()
        async with documents_of(stack) as documents:
            logs = Logs(tmp_path / "logs", stack._clock)
            found = await results(stack, documents, logs, chosen(ALL, ["stop.*"]), tmp_path, seed=1)
    finally:
        await stack.down()
    assert stack.leaks() == []
    assert ended(found, Outcome.DEVIATION) == expected
    assert ended(found, Outcome.NOT_EXERCISED) == untried
    assert ended(found, Outcome.MEASUREMENT_ERROR) == set()


def test_every_plant_is_expected_somewhere() -> None:
    assert set(PLANTS) == set(EXPECTED) | set(STOPS)
    assert set[str]().union(*EXPECTED.values(), *STOPS.values()) <= {check.id for check in ALL}


def test_the_wrong_target_reads_the_contract_alone() -> None:
    text = (ROOT / "tests/conformance/wrong_target.py").read_text()
    assert "import harness" not in text and "from harness" not in text
