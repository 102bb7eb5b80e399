"""What the facts of an experiment mean, by its kind: every way in which a line falls. And of an experiment of one's own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.model.judgement import Verdict
from harness.model.message import message
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.chaos.rehearsal import REHEARSAL
from harness.rehearsals.chaos.steady import steady_criteria
from harness.rehearsals.chaos.types import ChaosDetails, Expectation, Failover, Repeated
from harness.rules.rule import Fact
from harness.run.result import judged
from tests.chaos.planted import FACT, SCENARIO, WELL, by_rules
from tests.chaos.test_judge_run import LATER_NS, made, plan, probes
from tests.rehearsal.made import by_id, seen

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN, NONE = Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED
ANY = Expectation(most_failed=0.1, recover_within_s=20, why="t")
UNHARMED = msgspec.structs.replace(ANY, unharmed=True)
CUT = msgspec.structs.replace(ANY, answers_none=True)
MIRROR = msgspec.structs.replace(ANY, claims=("dual_write.order",))
SERIES = msgspec.structs.replace(ANY, repeated=Repeated(every_s=20, times=15))
FAILOVER = msgspec.structs.replace(ANY, failover=Failover(synchronous=True, most_outage_s=10))
ERRATUM = msgspec.structs.replace(ANY, erratum="deploy.downtime_without_prestop")
#: Of each kind what goes well besides.
GOOD = {
    UNHARMED: (FACT("p95_ms", 400, of=100), FACT("limit_ms", 500), FACT("reads.well", 1), FACT("writes.well", 1)),
    CUT: (FACT("cut.answered", 0, of=50),),
    MIRROR: (FACT("mirror.wrong", 0),),
    SERIES: (
        FACT("kills.made", 15), FACT("kills.wanted", 15), FACT("series.least", 1), FACT("series.most", 9),
        FACT("series.failed", 5, computed=""),
    ),
    FAILOVER: (FACT("outage_s", 4, count="2"), FACT("still_failed_s", 0), FACT("outage.allowed_s", 10)),
}  # fmt: skip


def failed(count: int, high: int | None = None) -> Fact:
    return FACT("calls.failed", count, high=high, of=100, share="")


@pytest.mark.parametrize(
    ("expects", "changed", "verdict"),
    [
        (ANY, (), PASS),
        (ANY, (failed(10),), PASS),
        (ANY, (failed(11),), FAIL),
        (ANY, (failed(9, 11),), OPEN),
        (ANY, (failed(11), FACT("calls", 99), FACT("calls.needed", 100)), OPEN),
        (ANY, (FACT("recovered_s", 20.1),), FAIL),
        (ANY, (FACT("steady.failed", 1, seconds="5"),), OPEN),
        (ANY, (FACT("steady.failed", 1, seconds="5"), failed(11)), FAIL),
        (UNHARMED, (), PASS),
        (UNHARMED, (FACT("p95_ms", 500, of=100),), FAIL),
        (UNHARMED, (FACT("p95_ms", 400, high=500, of=100),), OPEN),
        (UNHARMED, (FACT("reads.well", 0),), OPEN),
        (UNHARMED, (FACT("writes.well", 0),), OPEN),
        (UNHARMED, (FACT("writes.well", 0), failed(11)), FAIL),
        (CUT, (), PASS),
        (CUT, (FACT("cut.answered", 1, of=50),), FAIL),
        (CUT, (FACT("cut.answered", 0, of=0),), OPEN),
        (MIRROR, (), PASS),
        (MIRROR, (FACT("mirror.wrong", 2),), OPEN),
        (MIRROR, (FACT("mirror.wrong", 0, lacks=(message("it never writes"),)),), NONE),
        (MIRROR, (FACT("mirror.wrong", 0, lacks=(message("it never writes"),)), failed(11)), FAIL),
        (SERIES, (), PASS),
        (SERIES, (FACT("kills.made", 14), failed(11)), OPEN),
        (SERIES, (FACT("series.failed", 0, computed=""),), FAIL),
        (SERIES, (FACT("series.failed", 10, computed=""),), FAIL),
        (FAILOVER, (), PASS),
        (FAILOVER, (FACT("outage_s", 11, count="2"),), FAIL),
        (FAILOVER, (FACT("outage_s", 11, low=0, count="2"),), OPEN),
        (FAILOVER, (FACT("outage_s", void=(message("none"),), count="0"), failed(11)), OPEN),
        (FAILOVER, (FACT("still_failed_s", 11),), FAIL),
        (ERRATUM, (), PASS),
        (ERRATUM, (failed(1),), SHOWN),
        (ERRATUM, (failed(11),), FAIL),
        (ERRATUM, (failed(1), FACT("failed.unexplained", 1)), OPEN),
        (ERRATUM, (failed(1), FACT("steady.failed", 1, seconds="5")), OPEN),
    ],
)
def test_what_decides_an_experiment(expects: Expectation, changed: tuple[Fact, ...], verdict: Verdict) -> None:
    facts = [*WELL, *GOOD.get(expects, ()), *changed]
    found = by_rules(facts, expects, steady_criteria(SCENARIO))
    assert (found.verdict, found.unit) == (verdict, ""), found.reason
    assert found.value == (None if verdict is NONE else {each.name: each for each in facts}["calls.failed"].seen)
    assert found.erratum == (expects.erratum if verdict is SHOWN else "")


def test_an_experiment_of_ones_own_is_judged_by_its_kind_under_its_own_name(tmp_path: Path) -> None:
    mine = tmp_path / "nobody_knows_it.yaml"
    mine.write_text((catalogue.FOLDER / "database_cut.yaml").read_text())
    for bad, verdict in ((100, PASS), (50, FAIL)):
        left = seen(ChaosDetails(origin_ns=LATER_NS, made=[made()]), probes(bad))
        found = by_id(judged(REHEARSAL, plan(str(mine)), left))["nobody_knows_it"]
        assert (found.claim, found.verdict, found.part) == ("database.path", verdict, "1")
