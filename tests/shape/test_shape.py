"""The counter sees what it is to count. That the house keeps its limits is lint's to say, which counts it (4 s)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.session.lint import LINT
from tests.shape import count, sizes
from tests.shape.__main__ import LIMITS, ONE_EACH, RULES, SIZES, above, blind, figures, lowered, main, places
from tests.shape.source import Source, read

VERDICT = """
from enum import StrEnum
class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
"""
STRUCT = "import msgspec\nfrom harness.model.judgement import Verdict\n"


def planted(root: Path, **files: str) -> Source:
    """A checkout with these modules; a double underscore in a name is a folder."""
    for name, text in {"model__judgement": VERDICT, **files}.items():
        path = root / "harness" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read(root)


def test_no_figure_is_without_a_limit_and_no_limit_of_nothing(tmp_path: Path) -> None:
    planted(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    found = figures(places(tmp_path), sizes.sizes(tmp_path))
    assert set(json.loads(LIMITS.read_text())) == set(found) == {*RULES, *SIZES}
    assert ("python", "-m", "tests.shape") in LINT


def test_a_verdict_is_a_shape_when_it_says_of_what_and_why(tmp_path: Path) -> None:
    shape = "class Found(msgspec.Struct):\n    claim: str\n    verdict: Verdict\n    reason: str\n"
    source = planted(
        tmp_path,
        model__one=STRUCT + shape,
        model__two=STRUCT + shape.replace("    claim: str\n", "    pods: int\n"),  # of no claim
        model__three=STRUCT + shape.replace("    reason: str\n", ""),  # no word why
        model__four=STRUCT + shape.replace("Verdict\n", "str\n"),  # no verdict
        model__five="from harness.model.one import Found\nclass More(Found):\n    value: float\n",
        model__six=STRUCT + shape.replace("verdict: Verdict", "verdict: 'Verdict | None'"),
    )
    assert [each.module.name for each in count.verdict_shapes(source)] == [
        "harness.model.five", "harness.model.one", "harness.model.six",
    ]  # fmt: skip
    assert [each.node.name for each in count.verdict_enums(source)] == ["Verdict"]


def test_a_result_document_is_counted_and_its_base_is_not(tmp_path: Path) -> None:
    base = "class Base(msgspec.Struct):\n    schema_version: int\n    exit_status: int\n    replay: str\n"
    source = planted(
        tmp_path,
        model__base="import msgspec\n" + base,
        model__a="from harness.model.base import Base\nclass A(Base):\n    x: int\n",
        model__b="from harness.model.base import Base\nclass B(Base):\n    x: int\n",
        model__facts="import msgspec\nclass Facts(msgspec.Struct):\n    replay: str\n",
        model__c="import msgspec\nfrom harness.model.facts import Facts\n"
        "class C(msgspec.Struct):\n    schema_version: int\n    exit_status: int\n    facts: Facts\n",
        model__d="import msgspec\nclass Judged(msgspec.Struct):\n    schema_version: int\n    exit_status: int\n",
    )
    assert [each.node.name for each in count.result_documents(source)] == ["A", "B", "C"]


def test_an_exit_rule_is_a_function_that_weighs_and_each_counts_once(tmp_path: Path) -> None:
    rule = "def exit_status(found):\n    return more_severe(*found)\n"
    use = "from harness.rules.judged import exit_status\ndef document():\n    return Run(exit_status=exit_status([]))\n"
    source = planted(
        tmp_path,
        rules__judged=rule,
        one=use,
        two=use,
        three="def document():\n    return Run(exit_status=more_severe(1, 2))\n",
        four="class Run:\n    def _exit(self):\n        return more_severe()\n"
        "    def document(self):\n        return Run(exit_status=self._exit())\n",
        five="def document(other):\n    return Run(exit_status=other.exit_status)\n",
    )
    assert count.exit_rules(source) == [
        "harness/four.py:2 _exit", "harness/rules/judged.py:1 exit_status", "harness/three.py:1 document",
    ]  # fmt: skip


def test_an_exit_rule_is_seen_through_names_wraps_and_calls_and_where_a_status_is_chosen(tmp_path: Path) -> None:
    weighs = (
        "from harness.base.errors import Exit, more_severe\ndef exit_status(found):\n    return more_severe(*found)\n"
    )
    use = "from harness.rules.judged import exit_status\n"
    tool = "from harness.base.errors import Exit, tool_status\n"
    source = planted(
        tmp_path,
        rules__judged=weighs,
        run__result=use + "def conclude(under_way):\n    status = exit_status([])\n"
        "    return Result(exit_status=None if under_way else int(status))\n",
        cli__rejudge=use + "def rejudge():\n    return Judged(exit_status=int(_status()))\n"
        "def _status():\n    return exit_status([])\n",
        cli__compare="def compare(worse):\n    return Compared(exit_status=int(Exit.HOLD if worse else Exit.OK))\n",
        cli__signoff="def run(made, blocked):\n    return made or (Exit.HOLD if blocked else Exit.OK)\n",
        cli__down="def run(left):\n    if left:\n        return Exit.LEAK\n    return int(Exit.OK)\n",
        cli__main="def main(run):\n    try:\n        return run()\n    except SystemExit:\n        return Exit.OK\n"
        "    except KeyboardInterrupt:\n        return Exit.INTERRUPTED\n",
        cli__doctor=tool + "def run(bad):\n    return tool_status({Exit.HOLD: bad})\n",
        cli__check=tool + "def run(bad):\n    return Checked(exit_status=int(tool_status({Exit.USAGE: bad})))\n",
        rehearsals__drill__judge=tool + "def ended(bad):\n    return tool_status({Exit.HOLD: bad})\n",
        base__errors="def more_severe(*found): ...\ndef tool_status(found):\n    return more_severe(*found)\n",
    )
    assert count.exit_rules(source) == [
        "harness/cli/compare.py:1 compare", "harness/cli/down.py:1 run", "harness/cli/signoff.py:1 run",
        "harness/rehearsals/drill/judge.py:2 ended", "harness/rules/judged.py:2 exit_status",
    ]  # fmt: skip


def test_a_counter_that_sees_none_of_what_is_there_once_is_blind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = json.loads(LIMITS.read_text())
    assert [limits[name] for name in ONE_EACH] == [1] * len(ONE_EACH) and not blind(limits)
    assert blind(limits | {"exit_rules": 0}) == ["exit_rules: none is seen"]
    planted(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr("tests.shape.__main__.ROOT", tmp_path)
    assert main(["--root", str(tmp_path)]) == 1
    assert "the counter is blind: exit_rules: none is seen" in capsys.readouterr().err


def test_who_starts_a_load_is_counted(tmp_path: Path) -> None:
    load = "class Load:\n    async def admitted(self): ...\n    async def stop(self): ...\n"
    use = "async def go(load):\n    await load.start()\n    await load.admitted(60.0)\n"
    made = "from harness.load.process import Load\ndef load():\n    return Load()\n"
    source = planted(tmp_path, load__process=load, run=use, x__flow=use, y__environment=made)
    assert count.admissions(source) == ["harness/run.py:3", "harness/x/flow.py:3"]
    assert count.loose_modules(source) == ["harness/run.py"]
    half = "class Ends:\n    async def stop(self): ...\nclass Load(Ends):\n    async def admitted(self): ...\n"
    assert count.admissions(planted(tmp_path / "half", load__process=half, run=use)) == ["harness/run.py:3"]


def test_a_name_of_two_classes_is_counted(tmp_path: Path) -> None:
    source = planted(tmp_path, a__b="class Course: ...\nclass _Own: ...\n", c="class Course: ...\nclass _Own: ...\n")
    assert count.names_twice(source) == ["Course: harness/a/b.py:1 Course, harness/c.py:1 Course"]


def test_lines_are_counted_by_rooms_beside_their_budgets(tmp_path: Path) -> None:
    for name, lines in (
        ("harness/rehearsals/network/rehearsal.py", 30),
        ("harness/run/runner.py", 100),
        ("harness/new/a.py", 7),
        ("harness/report/result.schema.json", 7),
        ("tests/a/test_a.py", 5),
        ("scenarios/rules/a.yaml", 3),
        (f"tests/corpus/today/a/{'x' * 9}", 1001),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n" * lines)
    assert sizes.sizes(tmp_path) == {"harness_lines": 137, "tests_lines": 5, "corpus_kilobytes": 2}
    found = sizes.rooms(tmp_path)
    assert found["rehearsals/"] == (30, 23_000) and found["run/"][0] == 100 and found["elsewhere"] == (7, 0)
    assert sizes.table(tmp_path)[-1].split() == ["3", "scenarios:", "YAML"]


def test_a_figure_above_its_limit_ends_in_one_and_a_limit_never_rises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert above({"a": 2, "b": 1}, {"a": 1}) == ["a: 2, limit 1", "b: 1, limit None"]
    assert lowered({"a": 2, "b": 1}, {"a": 1, "b": 3}) == {"a": 1, "b": 1}
    file = tmp_path / "limits.json"
    file.write_text(json.dumps(json.loads(LIMITS.read_text()) | {"verdict_enums": 0}))
    planted(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr("tests.shape.__main__.LIMITS", file)
    monkeypatch.setattr("tests.shape.__main__.ROOT", tmp_path)
    assert main(["--root", str(tmp_path)]) == 1
    assert "above its limit: verdict_enums: " in capsys.readouterr().err
    assert main(["--root", str(tmp_path), "--lower"]) == 1
    assert json.loads(file.read_text())["verdict_enums"] == 0, "one enum is there and its limit does not rise"
