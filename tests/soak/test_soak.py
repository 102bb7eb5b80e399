"""A real soak of a target that leaks: told in its segment; cut by Ctrl-C, and resumed with the segment that was cut."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest

from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit
from harness.cli import main as cli
from harness.model.judgement import Verdict
from harness.rehearsals.soak.plan import SoakCommand, SoakDetails
from harness.run.command import parse
from tests.hurried import QUICK_PROBES
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import by_id, result_in


def test_a_segment_is_at_most_45_minutes() -> None:
    with pytest.raises(BadInput, match="longer than 45 minutes"):
        parse(SoakCommand, ["--segment", "46min", "--on", "local"]).planned()


def leaking(folder: Path, a_minute: int) -> str:
    """The target file of a program whose pods keep so many MB more a minute."""
    program = [str(ROOT / "tests" / "leaking_target.py"), str(ROOT / "api")]
    environment = {"HOST": "127.0.0.1", "TEST_LEAK": str(a_minute)}
    document = {"name": "leaking", "command": [sys.executable, program[0]], "folder": str(ROOT), "program": program}
    path = folder / "target.yaml"
    path.write_text(json.dumps({**document, "environment": environment, "migrations": "bundled"}))
    return str(path)


@pytest.mark.nightly
@pytest.mark.stack
@pytest.mark.timeout(480)
def test_a_leak_of_ten_megabytes_a_minute_is_told_by_a_soak_that_was_cut(tmp_path: Path) -> None:
    before, reports = machine_state(), tmp_path / "reports"
    words = ("--for", "160s", "--segment", "80s", "--pace", "20s", *QUICK_PROBES)
    cut = Job(reports, *words, "--target", leaking(tmp_path, 10), command=("soak",))
    cut.wait_for("segment 1 of 2")
    cut.interrupt()
    assert cut.finish(90) == Exit.INTERRUPTED, cut.text
    stood = result_in(cut.folder)
    assert msgspec.convert(stood.details, SoakDetails).segments == ()
    resumed = Job(reports, "--resume", stood.run_id, command=("soak",))
    assert resumed.finish(360) == Exit.HOLD, resumed.text
    found = result_in(resumed.folder)
    assert (found.run_id, found.facts.replay, found.facts.errors) == (stood.run_id, stood.facts.replay, ())
    details = msgspec.convert(found.details, SoakDetails)
    assert [(each.number, each.stack, each.failed, each.missing) for each in details.segments] == [
        (1, 2, 0, 0), (2, 2, 0, 0),
    ]  # fmt: skip
    told = by_id(found.judgements, "segment2")["leak.memory.target"]
    assert told.verdict is Verdict.FAIL and told.value == pytest.approx(9.5, abs=2.5), told
    assert by_id(found.judgements, "")["memory.target"].verdict is Verdict.FAIL
    assert cli.main(["judge", str(resumed.folder)]) == Exit.HOLD
    assert left_since(before, cut, resumed) == {}
    assert cli.main(["soak", "--resume", stood.run_id, "--reports", str(reports)]) == Exit.USAGE, "nothing is left"
