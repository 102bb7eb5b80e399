"""The gate: a group that ran fewer tests than it has, or a test skipped in silence, fails the run."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.stack.state import processes
from tests.session import again, gate, groups, push, reasons, record
from tests.session.record import Done, Record
from tests.session.workers import ON_THE_CLUSTER

NO_DOCUMENT = gate.Lack("document", "not published", lambda: True)


def run(*tests: Done) -> Record:
    return Record(wall_s=1.0, tests=list(tests))


def done(name: str, group: str, outcome: str = "passed", reason: str = "") -> Done:
    return Done(id=name, group=group, seconds=60.0, outcome=outcome, reason=reason)


def test_a_whole_run_is_whole() -> None:
    whole = run(done("a", "fast"), done("b", "kind", "failed"))
    assert gate.findings(whole, {"fast": 1, "kind": 1, "browser": 0}, []) == ([], [])


def test_a_group_that_ran_fewer_is_named() -> None:
    wrong, _ = gate.findings(run(done("a", "fast")), {"fast": 1, "kind": 3}, [])
    assert wrong == ["group kind: 0 of 3 known tests ran"]


def test_a_skipped_test_was_not_run_also_where_more_tests_than_known_ran() -> None:
    wrong, _ = gate.findings(run(done("a", "kind"), done("b", "kind", "skipped", "no Docker")), {"kind": 1}, [])
    assert wrong == ["b was skipped: no Docker"]
    wrong, _ = gate.findings(run(done("a", "kind"), done("b", "kind", "skipped", "no Docker")), {"kind": 2}, [])
    assert wrong == ["group kind: 1 of 2 known tests ran", "b was skipped: no Docker"]


def test_a_listed_lack_forgives_its_own_group_alone_and_is_said() -> None:
    found = run(done("a", "document", "skipped", "not here"), done("b", "browser", "skipped", "no browser"))
    wrong, forgiven = gate.findings(found, {"document": 1, "browser": 1}, [NO_DOCUMENT])
    assert wrong == ["group browser: 0 of 1 known tests ran", "b was skipped: no browser"]
    assert forgiven == ["document: 1 not run, not published"]


def test_the_gate_asks_nothing_of_the_machine_before_it_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each push imports it, and collects every module of tests."""
    asked: list[tuple[str, ...]] = []

    def ask(command: tuple[str, ...], **_settings: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(processes, "usable", lambda: True)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", ask)
    assert "tests.session.needs" not in Path(gate.__file__).read_text()
    needs = runpy.run_path(str(Path(gate.__file__).with_name("needs.py")))
    (condition,) = needs["needs_spaces"].args
    assert asked == []
    assert bool(condition) and bool(condition)
    assert [command[0] for command in asked] == ["unshare"], "once"


def test_what_only_root_may_is_forgiven_by_its_reason_in_any_group_and_nothing_else_is() -> None:
    lack = gate.Lack("", reasons.NO_ROOT, lambda: True)
    found = run(
        done("a", "fast", "skipped", reasons.NO_ROOT),
        done("b", "stack", "skipped", reasons.NO_LIMITS),
        done("c", "stack", "skipped", reasons.NO_ROOT),
        done("d", "stack", "skipped"),
    )
    wrong, forgiven = gate.findings(found, {"fast": 1, "stack": 3}, [lack])
    assert wrong == ["group stack: 0 of 3 known tests ran", f"b was skipped: {reasons.NO_LIMITS}", "d was skipped: "]
    assert forgiven == [f"fast: 1 not run, {reasons.NO_ROOT}", f"stack: 1 not run, {reasons.NO_ROOT}"]


@pytest.mark.parametrize("root", [True, False])
def test_a_root_who_has_control_groups_lacks_neither(monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
    """Though its tests were skipped for their lack: then what makes them is broken."""
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1001)
    monkeypatch.setattr(os, "access", lambda _path, _mode: root)
    monkeypatch.setattr(processes, "usable", lambda: False)
    lacking = {lack.reason for lack in gate.LACKS if not lack.group and lack.here()}
    assert lacking == (set() if root else {reasons.NO_ROOT, reasons.NO_LIMITS})


def test_a_vanished_test_is_not_forgiven_by_a_lack() -> None:
    wrong, _ = gate.findings(run(), {"document": 9}, [NO_DOCUMENT])
    assert wrong == ["group document: 0 of 9 known tests ran"]


def test_a_machine_s_owner_lists_lacks_with_reasons() -> None:
    found = gate.listed({gate.VARIABLE: "kind=no root here; browser = no apt"})
    assert [(lack.group, lack.reason) for lack in found] == [("kind", "no root here"), ("browser", "no apt")]
    for bad in ("kind", "kind=", "king=of no known group"):
        with pytest.raises(ValueError, match="is not GROUP=REASON"):
            gate.listed({gate.VARIABLE: bad})


def test_every_group_has_a_known_number_and_some_tests() -> None:
    known = gate.known()
    assert set(known.push) == set(known.night) == set(groups.ALL)
    assert all(number > 0 for number in known.push.values())


def test_a_night_is_held_to_its_own_numbers() -> None:
    some = frozenset({"kind", "process"})
    assert push.PUSH.known(some) == {group: gate.known().push[group] for group in some}
    assert push.NIGHT.known(some) == {group: gate.known().night[group] for group in some}
    assert 20 < sum(push.NIGHT.known(push.ALL).values()) < sum(push.PUSH.known(push.ALL).values())


def test_ci_s_jobs_together_run_every_group_once() -> None:
    assert sorted(group for part in push.PARTS.values() for group in part) == sorted(groups.ALL)


def test_the_closing_line_counts_an_error_as_a_failure() -> None:
    found = run(done("a", "fast"), done("b", "fast", "failed"), done("c", "kind", "error"))
    assert push.closing(found) == "1 passed, 2 failed"
    assert push.closing(run(done("a", "fast"), done("b", "kind", "skipped"))) == "1 passed, 0 failed, 1 skipped"


def test_what_failed_beside_others_counts_as_it_ended_alone_and_is_told() -> None:
    first = run(done("a", "kind", "failed"), done("b", "stack", "error"), done("c", "kind"))
    assert again.worth(first) == ["a", "b"]
    both = again.settled(first, run(done("a", "kind"), done("b", "stack")))
    assert push.closing(both) == "3 passed, 0 failed; 2 of the passed failed beside others and passed alone"
    assert [test.seconds for test in both.tests] == [120, 120, 60]
    still = again.settled(first, run(done("a", "kind"), done("b", "stack", "failed")))
    assert push.closing(still).startswith("2 passed, 1 failed; 1 of the passed")


def test_nothing_in_process_and_no_crowd_is_tried_again() -> None:
    assert again.worth(run(done("a", "fast", "failed"), done("b", "kind", "failed"))) == []
    crowd = [done(str(number), "stack", "failed") for number in range(again.MOST + 1)]
    assert again.worth(run(*crowd)) == [] and len(again.worth(run(*crowd[1:]))) == again.MOST
    assert again.worth(run(done("a", "kind"), done("b", "kind", "skipped", "no Docker"))) == []


def test_only_tests_that_failed_are_a_reason_for_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def passes(*words: object) -> tuple[int, Record]:
        asked.append(words)
        return 0, run(done("a", "kind"))

    monkeypatch.setattr(push, "_run", passes)
    first = run(done("a", "kind", "failed"), done("b", "kind"))
    assert push.tried_again(push.PUSH, "rest", (2, first)) == (2, first), "interrupted, or an internal error"
    assert push.tried_again(push.PUSH, "rest", (0, run(done("b", "kind")))) == (0, run(done("b", "kind")))
    assert asked == []
    status, both = push.tried_again(push.NIGHT, "rest", (push.SOME_FAILED, first))
    assert (status, both.outcomes()["passed"], asked) == (0, 2, [(push.NIGHT, "rest_again", "a")])


@pytest.mark.parametrize("hour", [push.PUSH, push.NIGHT], ids=["push", "night"])
def test_by_night_the_cluster_is_tested_with_nothing_beside_it(
    hour: push.Hour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each test of whatever hour runs once: in one run of pytest of its group, and of how it measures."""
    runs: dict[str, tuple[frozenset[str], bool]] = {}

    def passes(_: push.Hour, name: str, chosen: frozenset[str], *words: str, alone: bool) -> tuple[int, Record]:
        assert ("-n" in words) == (name not in {"apart", "alone_stack"}), name
        if chosen:  # of no group there is no run
            runs[name] = (chosen, alone)
        return 0, run()

    monkeypatch.setattr(push, "pytest", passes)
    others = push.ALL - groups.IN_PROCESS
    push.on_the_machine(hour, others)
    for alone in (False, True):
        together = [group for chosen, mine in runs.values() if mine is alone for group in chosen]
        assert sorted(together) == sorted(others)
    apart = {"apart": (ON_THE_CLUSTER, False)} if hour is push.NIGHT else {}
    assert {name: found for name, found in runs.items() if name == "apart"} == apart


@pytest.fixture
def second_tries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bool]:
    """Whether a test needs its second try in each run to come; nothing is run, and records lie in ``tmp_path``."""
    second: list[bool] = []

    def tested(_hour: push.Hour, _chosen: object) -> tuple[list[tuple[int, Record]], list[str]]:
        test = done("a", "kind")
        test.second_try = second.pop(0)
        return [(0, run(test))], []

    monkeypatch.setattr(push, "tested", tested)
    monkeypatch.setattr(push, "FOLDER", tmp_path)
    monkeypatch.setattr(gate, "known", lambda: gate.Known(push={"kind": 1}, night={"kind": 1}))
    return second


@pytest.mark.parametrize(
    ("words", "status"), [((), 0), (("--part", "kind"), 0), (("--night",), 1), (("--repeat", "1"), 1)]
)
def test_a_second_try_counts_at_a_push_only(
    second_tries: list[bool], words: tuple[str, ...], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    second_tries += [True]
    assert push.main([*words]) == status
    assert ("WRONG: a failed beside others" in capsys.readouterr().out) == bool(status)
    second_tries += [False]
    assert push.main([*words]) == 0


def test_repeats_go_on_after_a_red_one_keep_each_record_and_are_green_when_all_are(
    second_tries: list[bool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second_tries += [False, True, False]
    assert push.main(["--part", "kind", "--repeat", "3"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[2].split(":")[0] for line in said[-4:-1]] == [" green", " RED", " green"]
    assert said[-1] == "2 of 3 runs are green"
    assert record.read(tmp_path / "2_whole.json").tests[0].second_try
    assert {path.name for path in tmp_path.glob("*closing.txt")} == {f"{n}_closing.txt" for n in (1, 2, 3)}
    second_tries += [False, False]
    assert push.main(["--night", "--repeat", "2"]) == 0
    assert (tmp_path / "night_1_closing.txt").read_text() == "1 passed, 0 failed\n"


def test_to_repeat_nothing_is_not_green(second_tries: list[bool]) -> None:
    for number in ("0", "-1"):
        with pytest.raises(SystemExit) as ended:
            push.main(["--repeat", number])
        assert ended.value.code == 2
    assert second_tries == []


def test_minutes_and_the_slowest_are_told() -> None:
    lines = record.minutes(run(done("a", "kind"), done("b", "kind"), done("c", "fast")))
    assert [line.split() for line in lines[:2]] == [
        ["kind", "2", "tests", "2.0", "min"],
        ["fast", "1", "tests", "1.0", "min"],
    ]
    assert lines[2] == "    60.0 s  a"
