"""The kept file: its form, its reasons, and that what changed since is unmeasured; a machine goes on where one stopped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.mutants import kept, running
from tests.mutants.kept import Function, Kept, Score

MODULE = """
LIMIT = 3

def one(a):
    return a + 1

class Two:
    def three(self):
        return 3
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "harness/rules").mkdir(parents=True)
    (tmp_path / "harness/rules/a.py").write_text(MODULE)
    return tmp_path


def test_what_is_kept_is_of_the_packages_and_of_its_form() -> None:
    known = kept.read()
    for name, each in known.functions.items():
        assert kept.package_of(name)
        assert re.fullmatch("[0-9a-f]{16}", each.digest)
        assert all(1 <= int(number) <= each.mutants for number in each.left)
        assert not kept.NOTICED & set(each.left.values())
    modules = {f"{name}." for name in kept.modules()}
    assert [name for name in known.functions if not any(map(name.startswith, modules))] == []  # follow those that moved
    assert set(known.scores) == set(kept.PACKAGES)
    assert list(known.functions) == sorted(known.functions)


def test_each_exclusion_has_its_reason_and_is_a_mutant_that_was_left() -> None:
    known = kept.read()
    left = {f"{name}:{number}" for name, each in known.functions.items() for number in each.left}
    for mutant, reason in kept.reasons().items():
        assert mutant in left, f"{mutant} is excluded and was not left by the tests: take it out"
        assert len(reason.split()) >= 4, f"{mutant}: {reason!r} is no reason"


def test_scores_are_those_of_the_functions_kept() -> None:
    """Of the code as it was then: what changed since is told by ``--told``, and fails nothing."""
    known = kept.read()
    then = {name: each.digest for name, each in known.functions.items()}
    found = kept.scores(known, then, kept.reasons())
    for package, score in known.scores.items():
        again = found[package]
        assert (score.mutants, score.noticed) <= (again.mutants, again.noticed)
        assert score.functions - score.unmeasured <= again.functions


def test_code_counts_and_its_comments_do_not(root: Path) -> None:
    before = kept.digests(root)
    assert set(before) == {"harness.rules.a.one", "harness.rules.a.Two.three"}
    file = root / "harness/rules/a.py"
    file.write_text(MODULE.replace("return a + 1", "# why\n    return (a + 1)"))
    assert kept.digests(root) == before
    file.write_text(MODULE.replace("a + 1", "a + 2"))
    after = kept.digests(root)
    assert [name for name in before if before[name] != after[name]] == ["harness.rules.a.one"]


def test_a_changed_function_is_unmeasured_and_counts_for_nothing() -> None:
    functions = {"harness.rules.a.one": Function(digest="old", mutants=4, left={"2": "survived"})}
    known = Kept(functions=functions)
    assert kept.scores(known, {"harness.rules.a.one": "old"}, {})["harness.rules"] == Score(
        functions=1, unmeasured=0, mutants=4, noticed=3, excluded=0, percent=75.0
    )
    changed = kept.scores(known, {"harness.rules.a.one": "new"}, {})["harness.rules"]
    assert (changed.unmeasured, changed.percent) == (1, None)


def test_an_excluded_survivor_is_neither_noticed_nor_missing() -> None:
    known = Kept(functions={"harness.checks.a.one": Function(digest="d", mutants=4, left={"2": "survived"})})
    now, why = {"harness.checks.a.one": "d"}, {"harness.checks.a.one:2": "it is the same by De Morgan"}
    assert kept.scores(known, now, why)["harness.checks"].percent == 100.0
    assert "  harness.checks.a.one:2 survived" in kept.lines(known, now, {})
    assert "  harness.checks.a.one:2 survived" not in kept.lines(known, now, why)


def meta(root: Path, **ends: int | None) -> None:
    names = {f"harness.rules.a.{name}": status for name, status in ends.items()}
    (root / "harness/rules/a.py.meta").write_text(json.dumps({"exit_code_by_key": names}))


def test_what_mutmut_found_is_kept_when_the_function_is_whole_and_else_run_on(root: Path) -> None:
    now = kept.digests(root)
    meta(root, x_one__mutmut_1=1, x_one__mutmut_2=None, xǁTwoǁthree__mutmut_1=0, xǁTwoǁthree__mutmut_2=36)
    known, found = Kept(functions={"harness.rules.gone.f": Function(digest="d", mutants=1)}), running.results(root)
    running.keep(known, found, now, set(now))
    three = Function(digest=now["harness.rules.a.Two.three"], mutants=2, left={"1": "survived"})
    assert known.functions == {"harness.rules.a.Two.three": three}
    unmeasured = set(now) - set(kept.measured(known, now))
    assert running.to_run(found, unmeasured) == ["harness.rules.a.x_one__mutmut_2"]


def test_what_no_test_was_run_for_is_measured_by_the_tests_that_there_were_alone(root: Path) -> None:
    """They end like that where no test reaches them; once there are others, nobody knows."""
    now = kept.digests(root)
    meta(root, x_one__mutmut_1=33, xǁTwoǁthree__mutmut_1=1)
    known, found = Kept(), running.results(root)
    running.keep(known, found, now, set(now))
    assert known.functions["harness.rules.a.one"].left == {"1": kept.BY_NONE}
    assert kept.scores(known, now, {})["harness.rules"].percent == 50.0
    for old in ("no tests", "no tests of 01234567"):
        known.functions["harness.rules.a.one"] = Function(digest=now["harness.rules.a.one"], mutants=1, left={"1": old})
        score = kept.scores(known, now, {})["harness.rules"]
        assert (score.unmeasured, score.mutants, score.percent) == (1, 1, 100.0)
        assert not [line for line in kept.lines(known, now, {}) if "judge.a.one" in line]


def test_a_new_machine_runs_nothing_that_another_measured(root: Path) -> None:
    now = kept.digests(root)
    meta(root, x_one__mutmut_1=None, xǁTwoǁthree__mutmut_1=None)
    known = Kept(functions={"harness.rules.a.one": Function(digest=now["harness.rules.a.one"], mutants=1)})
    unmeasured = set(now) - set(kept.measured(known, now))
    assert running.to_run(running.results(root), unmeasured) == ["harness.rules.a.xǁTwoǁthree__mutmut_1"]


def test_again_forgets_what_was_found_of_those_alone(root: Path) -> None:
    meta(root, x_one__mutmut_1=1, xǁTwoǁthree__mutmut_1=1)
    running.forget({"harness.rules.a.one"}, root)
    assert running.to_run(running.results(root), set(kept.digests(root))) == ["harness.rules.a.x_one__mutmut_1"]


def test_a_function_without_mutants_is_measured() -> None:
    assert running.function({}, "d") == Function(digest="d", mutants=0)


def test_the_file_is_written_as_it_is_read(tmp_path: Path) -> None:
    known = kept.read()
    kept.write(known, tmp_path / "kept.json")
    assert (tmp_path / "kept.json").read_bytes() == kept.FILE.read_bytes()


def test_the_engine_of_rules_is_of_the_judge() -> None:
    names = ("harness.rules.a.f", "harness.rules.engine.judge", "harness.rules.fact.FactsOf.none")
    assert {kept.package_of(name) for name in names} == {"harness.rules"}
    others = ("harness.rehearsals.load.facts.f", "harness.judges.f", "tests.rules.f")
    assert {kept.package_of(name) for name in others} == {""}


def test_a_function_that_moved_keeps_its_result_and_its_reasons(root: Path) -> None:
    before = kept.digests(root)
    known = Kept(
        functions={name: Function(digest=each, mutants=2, left={"1": "survived"}) for name, each in before.items()}
    )
    (root / "harness/rules/a.py").rename(root / "harness/rules/b.py")
    now = kept.digests(root)
    moves = kept.moved(known, now)
    excluded = kept.follow(known, {"harness.rules.a.one:1": "why", "harness.rules.z.f:1": "other"}, moves)
    assert (
        set(known.functions) == set(kept.measured(known, now)) == {"harness.rules.b.one", "harness.rules.b.Two.three"}
    )
    assert excluded == {"harness.rules.b.one:1": "why", "harness.rules.z.f:1": "other"}


def test_a_function_that_changed_as_it_moved_or_of_which_there_are_two_is_measured_anew(root: Path) -> None:
    known = Kept(functions={name: Function(digest=each, mutants=2) for name, each in kept.digests(root).items()})
    (root / "harness/rules/a.py").rename(root / "harness/rules/b.py")
    (root / "harness/rules/c.py").write_text("def one(a):\n    return a + 1\n")
    assert kept.moved(known, kept.digests(root)) == {"harness.rules.a.Two.three": "harness.rules.b.Two.three"}
    (root / "harness/rules/b.py").write_text(MODULE.replace("return 3", "return 4"))
    assert kept.moved(known, kept.digests(root)) == {}


def test_what_was_left_runs_again_but_what_is_excluded(root: Path) -> None:
    meta(root, x_one__mutmut_1=None, x_one__mutmut_2=None, x_one__mutmut_3=None)
    before = Function(digest="d", mutants=3, left={"2": "survived", "3": "survived"})
    running.take_over({"harness.rules.a.one": before}, {"harness.rules.a.one:3"}, root)
    found = running.results(root)
    assert running.to_run(found, ["harness.rules.a.one"]) == ["harness.rules.a.x_one__mutmut_2"]
    assert list(found["harness.rules.a.one"].values()) == [1, None, 0]
