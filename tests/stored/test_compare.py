"""``compare``: what changed between two runs of one rehearsal, and 10 where something judged is worse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest

from harness.base.errors import BadInput, Exit
from harness.cli.stored.compare import Change, RunComparison, compare
from harness.cli.stored.folder import read_stored
from harness.cli.stored.settings import asked_apart, settings
from harness.cli.stored.words import compared_words
from harness.evidence.store import EVIDENCE
from harness.model.judgement import Decision, Judgement, Kind, Verdict, observation
from harness.model.message import message
from harness.rules.judged import MEASUREMENT
from harness.rules.rule import Fact, FactsOf, Rule, RuleLine
from harness.run.rehearsal import RunRecord
from tests.rehearsal.stand_in import StandIn, StandInDetails, StandInPlan
from tests.report.marking import MARKING
from tests.stored.conftest import Made, changed, main

ERRORS = {"kind": "errors", "share": 0.12, "delay_ms": 0.0, "after_s": 0.0, "for_s": 0.0, "subject": ""}
LATE = {**ERRORS, "kind": "latency", "delay_ms": 600.0}


def compared(a: Path, b: Path, *, across: bool = False) -> RunComparison:
    return compare(read_stored(str(a), a.parent), read_stored(str(b), b.parent), across=across)


async def test_a_run_compared_with_itself_shows_no_difference(made: Made) -> None:
    folder = await made()
    found = compared(folder, folder)
    assert (found.exit_status, found.worse, found.settings, found.not_comparable) == (Exit.OK, (), (), ())
    assert {each.change for each in found.judgements} == {Change.NONE}
    assert {each.change for each in (*found.figures, *found.timings)} == {Change.NONE}
    told = compared_words(found)
    assert "B is no worse in anything that is judged" in told
    assert "settings, manifests and machine: the same" in told
    assert "NOT COMPARABLE" not in told


async def test_what_fails_in_b_is_worse_and_what_passes_is_better(made: Made) -> None:
    good, bad = await made(rows=3, at_least=2), await made(rows=1, at_least=2)
    found = compared(good, bad)
    assert [(each.id, each.change) for each in found.judgements] == [("stand_in.rows", Change.WORSE)]
    assert (found.worse, found.exit_status) == (("stand_in.rows", "rows"), Exit.HOLD)
    assert (found.a.judged, found.b.judged) == (Decision.ADVANCE, Decision.HOLD)
    assert "B is WORSE in: stand_in.rows, rows" in compared_words(found)
    assert "rows *" in compared_words(found)
    back = compared(bad, good, across=True)  # the stand-in waited less for what did not come
    assert (back.exit_status, back.judgements[0].change) == (Exit.OK, Change.BETTER)


async def test_what_holds_b_alone_is_worse_though_a_does_not_have_it(made: Made) -> None:
    """An error of the measurement is judged where there was one, and nowhere else."""
    good, lost = await made(), await made()
    (lost / EVIDENCE).unlink()
    found = compared(good, lost)
    assert (found.a.judged, found.b.judged) == (Decision.ADVANCE, Decision.HOLD)
    assert (found.worse, found.exit_status) == ((MEASUREMENT,), Exit.HOLD)
    assert (compared(lost, lost).worse, compared(lost, good).worse) == ((), ())


async def test_what_differs_in_the_plan_or_the_environment_spoils_the_comparison(made: Made) -> None:
    a, b = await made(rows=3, at_least=1), await made(rows=3, at_least=2)
    document = json.loads((b / "result.json").read_text())
    document["facts"] |= {"rung": "kind", "target": "theirs"}
    (b / "result.json").write_text(json.dumps(document))
    found = compared(a, b)
    assert tuple(map(str, found.not_comparable)) == (
        "environment: local and kind",
        "target: bundled walk API (Python) and theirs",
        "at_least: 1 and 2",
    )
    assert {"run.rung", "run.target", "plan.at_least"} <= {each.name for each in found.settings}
    assert "NOT COMPARABLE" in compared_words(found)
    assert "no verdict on B: the runs are not comparable" in compared_words(found)
    assert (found.worse, found.exit_status) == ((), Exit.HOLD)


async def test_runs_of_two_environments_hold_unless_they_are_meant_to_differ(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    """A simulated run says nothing of a local one: no verdict, no 0."""
    a, b = await made(), await made()
    document = json.loads((a / "result.json").read_text())
    document["facts"]["rung"] = "sim"
    (a / "result.json").write_text(json.dumps(document))
    assert main(["compare", str(a), str(b)]) == Exit.HOLD
    assert "B is no worse" not in capsys.readouterr().out
    assert main(["compare", str(a), str(b), "--json"]) == Exit.HOLD
    told = json.loads(capsys.readouterr().out)
    apart = [{"text": "environment: {a} and {b}", "values": {"a": "sim", "b": "local"}}]
    assert (told["not_comparable"], told["exit_status"], told["schema_version"]) == (apart, Exit.HOLD, 3)
    assert "told" not in told, "the same sentences once more"
    assert main(["compare", str(a), str(b), "--across"]) == Exit.OK
    told_across = capsys.readouterr().out
    assert "NOT COMPARABLE" in told_across and "B is no worse in anything that is judged" in told_across


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        ([], [ERRORS], ["faults: none and errors on 12 % of requests"]),
        ([ERRORS], [ERRORS, LATE], ["faults: errors on 12 % of requests and errors on 12 % of requests, latency 600 ms on"]),
        ([ERRORS], [{**ERRORS, "share": 0.2}], ["faults.0.share: 0.12 and 0.2"]),
        ([ERRORS], [{**ERRORS, "after_s": 9.0}, LATE], [
            "faults: errors on 12 % of requests and errors on 12 % of requests@9s, latency 600 ms on 12 % of requests"]),
        ([], [{**ERRORS, "for_s": 2.0}], ["faults: none and errors on 12 % of requests@0s+2s"]),
        ([], [{**ERRORS, "more": 1}], ["faults: none and kind=errors share=0.12 delay_ms=0.0"]),
        ([1, 2], [1, 2, 3], ["faults: 1, 2 and 1, 2, 3"]),
        (["a", "b"], ["a, b"], ['faults: ["a","b"] and ["a, b"]']),
        ([], "none", ['faults: [] and "none"']),
        (1, True, ["faults: 1 and True"]),
        ([{"x": 1}], [], ["faults: x=1 and none"]),
        ([{"id": "a", "x": 1}], [{"id": "a", "x": 2}, {"id": "b", "y": {"z": 3}}], [
            "faults.a.x: 1 and 2", "faults.b.id: - and b", "faults.b.y.z: - and 3",
        ]),
        (None, {"p": {}, "q": 1}, ["faults.p: - and none", "faults.q: - and 1"]),
        (None, [], []),
        (3, [4], ["faults: 3 and 4"]),
    ],
)  # fmt: skip
async def test_what_differs_in_a_plan_is_one_line_a_leaf_and_a_fault_is_said_in_its_own_words(
    a: object, b: object, told: list[str], made: Made
) -> None:
    one, other = await made(), await made()
    for folder, faults in ((one, a), (other, b)):
        changed(folder, "plan.json", faults=faults)
    found = [*map(str, asked_apart(read_stored(str(one), one.parent), read_stored(str(other), other.parent)))]
    assert len(found) == len(told) and all(map(str.startswith, found, told))


async def test_the_words_that_a_rollout_was_typed_with_are_no_difference(made: Made) -> None:
    """A rollout keeps them for its resume: the seed, and an option that was a default's."""
    one, other = await made(), await made()
    changed(one, "plan.json", words=["--seed", "1"])
    changed(other, "plan.json", words=["--seed", "7", "--no-defaults"])
    found = compared(one, other)
    assert (found.not_comparable, [each for each in found.settings if "words" in each.name]) == ((), [])


async def test_a_run_that_broke_spoils_it_too(made: Made) -> None:
    good, broke = await made(), await made(rows=1, dies=True)
    assert any(str(reason).endswith("broke") for reason in compared(good, broke).not_comparable)
    assert compared(broke, good, across=True).exit_status == Exit.HOLD, (
        "what did not come to its end is nobody's intention"
    )


async def test_why_two_runs_are_not_comparable_is_said_in_the_reader_s_language(made: Made) -> None:
    a, b = await made(rows=3, at_least=1), await made(rows=3, at_least=2, dies=True)
    document = json.loads((b / "result.json").read_text())
    document["facts"] |= {"rung": "kind", "target": "theirs"}
    changed(b, "result.json", facts=document["facts"])
    found = compared(a, b)
    told = compared_words(found, MARKING)
    reasons = [*map(str, found.not_comparable)]
    keys = [reason.partition(":")[0] for reason in reasons]
    assert keys == ["environment", "target", "at_least", "within_s", f"{found.b.run_id} broke"]
    assert all(f"  <{reason}>" in told for reason in reasons)


async def test_runs_of_two_rehearsals_are_not_compared(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.run.registry import MODULES

    a, b = await made(), await made()
    monkeypatch.setitem(MODULES, "other", "tests.rehearsal.stand_in")
    changed(b, "result.json", rehearsal="other")
    with pytest.raises(BadInput, match="of two rehearsals: stand_in and other"):
        compared(a, b)


class Figured(StandIn):
    """Has figures whose samples differ with the rows, and judges nothing but what gates nothing."""

    def judge(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Judgement]:
        _ = plan
        yield observation("saw", (message("seen"),), verdict=Verdict.FAIL if seen.details.rows == 9 else Verdict.PASS)

    def claims(self, plan: StandInPlan) -> Iterable[tuple[str, str]]:
        _ = plan
        return ()

    rules = MappingProxyType({
        "saw": Rule(decided_by=(RuleLine(fact="errors_ratio", at_most=1.0),), kind=Kind.OBSERVATION, gates=False),
        "late": Rule(decided_by=(RuleLine(fact="latency_ms", below=9.0),), gates=False),
    })  # fmt: skip

    def measured(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Fact]:
        rows, fact = (
            seen.details.rows or 0,
            FactsOf(dict.fromkeys(("errors_ratio", "latency_ms", "pods", "b_ms"), "{seen}")),
        )
        yield fact("errors_ratio", rows / 100, of=1000)
        yield fact("latency_ms", 1.5 * rows, low=1.4 * rows, high=1.6 * rows, sampled=True)
        yield fact("pods", rows * 10, of=1000)
        if rows == 9:
            yield fact("b_ms", 1)


async def test_figures_are_tested_and_named_by_what_more_of_them_means(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.rehearsal.stand_in.REHEARSAL", Figured())
    a, b = await made(rows=1), await made(rows=9, at_least=9)
    for folder in (a, b):  # the stand-in's own
        changed(folder, "result.json", judgements=[])
    found = compared(a, b)
    assert {each.name: each.change for each in found.figures} == {
        "errors_ratio": Change.WORSE,
        "latency_ms": Change.WORSE,
        "pods": Change.HIGHER,
        "b_ms": Change.NONE,
    }
    assert found.worse == ()  # no judgement is about them
    assert found.nothing and found.exit_status == Exit.HOLD
    assert "nothing was compared" in compared_words(found)
    assert "no data" in compared_words(found)
    assert found.judgements == ()  # what was merely seen is not set side by side


async def test_the_command_ends_with_the_status_and_prints_the_document(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = await made(rows=3, at_least=2), await made(rows=1, at_least=2)
    assert await asyncio.to_thread(main, ["compare", str(good), str(bad), "--json"]) == Exit.HOLD
    document = msgspec.json.decode(capsys.readouterr().out, type=RunComparison)
    assert document.worse == ("stand_in.rows", "rows")
    assert await asyncio.to_thread(main, ["compare", str(good), str(good)]) == Exit.OK


async def test_a_plan_that_does_not_say_by_what_it_is_smaller_is_no_other_plan(made: Made) -> None:
    """As older ones: it stands in the window and the population, too."""
    one, other = await made(), await made()
    scenario = {"window_s": 10.0}
    changed(one, "plan.json", scenario=scenario)
    changed(other, "plan.json", scenario={**scenario, "smaller": ["window 10s"]})
    a, b = (read_stored(str(folder), folder.parent) for folder in (one, other))
    assert asked_apart(a, b) == () and settings(a, b) == ()
    changed(other, "plan.json", scenario={"window_s": 20.0, "smaller": []})
    assert len(asked_apart(a, read_stored(str(other), other.parent))) == 1
