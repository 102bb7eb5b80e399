"""What a sweep says: what killed runs left is removed, what was made elsewhere is named and is neither."""

from __future__ import annotations

import json

import pytest

from harness.base.errors import Exit
from harness.cli import standing
from harness.cli.main import main
from harness.model.message import ProgressCallback, message
from harness.run.runner import RUNGS
from harness.stack.kind import keeper
from harness.stack.kubernetes import labels
from tests.lines import Lines

REMOVED, OTHERS = "removed container dead.postgres", "foreign.postgres, tekutoko-0123abcd-kept"


@pytest.fixture(params=[(True, True), (False, True), (False, False)], ids=["both", "others", "nothing"])
def found(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, bool]:
    """Whether killed runs left something, and whether others have something here."""
    removed, others = request.param

    async def sweep(progress: ProgressCallback, aside: ProgressCallback) -> None:
        if removed:
            progress(message("removed container {name}", name="dead.postgres"))
        if others:
            aside(labels.left(reversed(OTHERS.split(", "))))

    for place in ("harness.stack.environments.choice", "harness.run.runner"):
        monkeypatch.setattr(f"{place}.sweep", sweep)
    return removed, others


async def test_a_run_says_that_a_killed_run_left_what_was_removed_alone(found: tuple[bool, bool]) -> None:
    lines = Lines()
    await RUNGS.sweep(lines.tell)
    told = [f"left by a killed run: {REMOVED}", str(labels.left(OTHERS.split(", ")))]
    assert lines == [line for line, there in zip(told, found, strict=True) if there]


def test_undo_counts_what_others_have_as_neither_removed_nor_nothing(
    found: tuple[bool, bool], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["undo"]) == 0
    said = capsys.readouterr()
    assert ("nothing to undo" in said.out) is (found == (False, False))
    assert (REMOVED in said.err, OTHERS in said.err) == found
    assert main(["undo", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (len(document["removed"]), len(document["others"])) == (int(found[0]), int(found[1]))


def test_undo_ends_in_40_where_something_cannot_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sweep(progress: ProgressCallback, _: ProgressCallback) -> None:
        progress(message("run {run}: process {pid} could not be ended", run="r", pid="7"))

    for place in ("harness.stack.environments.choice", "harness.run.runner"):
        monkeypatch.setattr(f"{place}.sweep", sweep)
    assert main(["undo"]) == main(["undo", "--json"]) == Exit.LEAK


def test_stack_down_names_what_others_have_beside_what_it_ended(
    found: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(standing, "end_standing_stacks", lambda _: [])
    monkeypatch.setattr(keeper, "down", lambda force: [])
    assert main(["stack", "down", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == ([REMOVED] if found[0] else [])
    assert (OTHERS in said.err) is found[1]
    assert main(["stack", "down"]) == 0
    said = capsys.readouterr()
    nothing = "nothing else was left running" if found[1] else "nothing was left running"
    assert said.out == f"{REMOVED if found[0] else nothing}\n" and (OTHERS in said.err) is found[1]
