"""The making of evidence: a plan of commands that pretend, what is held already, an interrupt, and what comes after."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.data import PLANS
from harness.base.errors import BadInput, Exit
from harness.base.planfile import bundled, parse
from harness.base.progress import Heartbeat, Progress
from harness.cli.main import main
from harness.cli.main import parse as command_of
from harness.cli.stored.evidence import Making, due_of, lines_of, run_process
from harness.evidence.store import EVIDENCE
from harness.model.judgement import Decision
from harness.model.message import english
from harness.model.result import Child
from harness.model.stack import EnvironmentKind
from harness.rehearsals.rollout.command import RunCommand
from harness.report.language import language
from harness.report.published import RESULT
from harness.report.signoff.document import EvidencePlan, held, told
from harness.report.signoff.gather import gather
from harness.report.signoff.types import EvidenceWanted, StoredResult
from harness.stack.environments.identity import digest
from harness.stack.kind import at_hand
from harness.stack.target.targets import bundled as our_api
from harness.stack.target.targets import resolve
from tests import register as claims
from tests.signoff.made import ASKED, evidence_of, stored

TINY = """
title: "tiny"
within: 10min
steps:
- {run: "conformance --seed 1", takes: 2min}
- {run: "scaling --on local --seed 1 --only manual", takes: 3min}
- {run: "network --on kind --seed 1", takes: 1min}
"""
PLAN = parse(TINY, "tiny.yaml", EvidencePlan, name="tiny")
LINES = ["python3 -m harness conformance --seed 1", "python3 -m harness scaling --on local --seed 1 --only manual"]


def asked() -> EvidenceWanted:
    return msgspec.structs.replace(ASKED, target=our_api().name, digests=(digest(our_api()),))


class Pretending:
    """Runs nothing: each command leaves a result, as a run of it would, and ends as it is told to."""

    def __init__(self, reports: Path, statuses: Sequence[int] = (), *, whole: bool = True) -> None:
        self.reports, self.statuses, self.whole = reports, list(statuses), whole
        self.ran: list[tuple[str, ...]] = []

    def __call__(self, typed: Sequence[str]) -> int:
        self.ran.append(tuple(typed))
        status = self.statuses.pop(0) if self.statuses else 0
        line = next(line for line in LINES if line.split()[3] == typed[0])
        errors = () if self.whole and status != Exit.INTERRUPTED else ("interrupted",)
        folder = f"{typed[0]}-{len([*self.reports.glob('*')])}"
        more = {"target": our_api().name, "target_digest": digest(our_api()), "replay": line, "errors": errors}
        made = stored(folder, rehearsal=typed[0], status=status, rung=EnvironmentKind.LOCAL, **more)
        (self.reports / folder).mkdir(parents=True)
        RESULT.write(self.reports / folder, made.result)
        evidence_of(self.reports / folder, folder)
        return status


@pytest.fixture(autouse=True)
def without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_hand, "docker_answers", lambda: False)
    monkeypatch.setattr(at_hand, "lacking", lambda: "there is no Docker")


def make(reports: Path, runs: Pretending) -> tuple[Exit, str]:
    """One call of ``signoff --run``: how it ended, and what it said."""
    said, clock = io.StringIO(), MachineClock()
    due = due_of(PLAN, gather(reports)[0], asked(), target=None, reports=reports, lang="en")
    return Making(Progress(clock, said), clock, language("en"), runs).make(PLAN, due), said.getvalue()


def test_the_plan_is_told_first_with_what_is_run_how_long_and_what_cannot_be(tmp_path: Path) -> None:
    runs = Pretending(tmp_path)
    ended, said = make(tmp_path, runs)
    assert ended is Exit.OK and [words[0] for words in runs.ran] == ["conformance", "scaling"]
    lines = said.splitlines()
    assert lines[0] == "tiny: 2 of 3 commands are to be run, about 5 min"
    assert f"  {LINES[1]}: local, about 3 min" in lines
    assert "  python3 -m harness network --on kind --seed 1: cannot be run here, there is no Docker" in lines
    assert f"command 1 of 2: {LINES[0]} (about 2 min; 5 to go)" in lines[4]
    assert "command 2 of 2 ended in 0 after 0.0 min" in lines[-1]
    assert {"--reports", str(tmp_path)} <= set(runs.ran[1])


def test_what_a_stored_run_holds_is_not_run_again(tmp_path: Path) -> None:
    make(tmp_path, Pretending(tmp_path, [10, 0]))  # it found something, and ended as it should
    again = Pretending(tmp_path)
    ended, said = make(tmp_path, again)
    assert ended is Exit.OK and again.ran == []
    assert "0 of 3 commands are to be run, about 0 min" in said and f"  {LINES[0]}: held by conformance-0" in said


def test_interrupted_it_keeps_what_is_done_and_the_next_call_goes_on(tmp_path: Path) -> None:
    first = Pretending(tmp_path, [0, Exit.INTERRUPTED])
    ended, said = make(tmp_path, first)
    assert ended is Exit.INTERRUPTED and "the same command goes on from here" in said
    second = Pretending(tmp_path)
    assert make(tmp_path, second)[0] is Exit.OK
    assert [words[0] for words in second.ran] == ["scaling"]
    third = Pretending(tmp_path)
    assert make(tmp_path, third)[0] is Exit.OK and third.ran == []


def test_what_was_run_is_run_again_when_its_evidence_is_gone(tmp_path: Path) -> None:
    make(tmp_path, Pretending(tmp_path))
    [lost] = tmp_path.glob(f"conformance-*/{EVIDENCE}")
    lost.unlink()
    assert make(tmp_path, again := Pretending(tmp_path))[0] is Exit.OK
    assert [words[0] for words in again.ran] == ["conformance"]


def test_a_sequence_has_its_evidence_where_each_of_its_runs_has(tmp_path: Path) -> None:
    child = Child(part="week1", run_id="w", folder="week1", decision=Decision.ADVANCE, exit_status=0)
    (tmp_path / "all" / child.folder).mkdir(parents=True)
    RESULT.write(tmp_path / "all" / child.folder, stored("w").result)
    RESULT.write(tmp_path / "all", msgspec.structs.replace(stored("all").result, children=(child,)))
    evidence_of(tmp_path / "all", "all")
    assert str(gather(tmp_path)[0][0].lost) == "the run's evidence.sqlite is not there"
    evidence_of(tmp_path / "all" / child.folder, "w")
    assert gather(tmp_path)[0][0].lost is None
    _with_another_word(tmp_path / "all" / child.folder / EVIDENCE)
    assert "the rows of evidence are not those" in str(gather(tmp_path)[0][0].lost)


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _garbled(file: Path) -> None:
    file.write_bytes(b"\xff" * file.stat().st_size)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:4096])


def _without_a_row(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as evidence:
        evidence.execute("DELETE FROM events WHERE seq = 1")
        evidence.commit()


def _with_another_word(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as evidence, evidence:
        evidence.execute("UPDATE events SET subject = 'another' WHERE seq = 1")


def _without_digest(file: Path) -> None:
    result = RESULT.read(file.with_name("result.json"))
    RESULT.write(file.parent, msgspec.structs.replace(result, evidence_digest=""))


def _of_another(file: Path) -> None:
    file.unlink()
    evidence_of(file.parent, "another")


@pytest.mark.parametrize(
    ("lose", "why"),
    [
        (_emptied, "the file holds no evidence"),
        (_garbled, "this is no evidence file"),
        (_cut, "database disk image is malformed"),
        (_without_a_row, "the run wrote 2 rows of evidence, and 1 are there"),
        (_with_another_word, "the rows of evidence are not those that the run wrote"),
        (_without_digest, "has no digest of its evidence"),
        (_of_another, "the evidence is of the run another"),
    ],
)
def test_what_was_run_is_run_again_when_its_evidence_is_broken(
    tmp_path: Path, lose: Callable[[Path], None], why: str
) -> None:
    make(tmp_path, Pretending(tmp_path))
    [file] = tmp_path.glob(f"conformance-*/{EVIDENCE}")
    lose(file)
    [found] = [each.lost for each in gather(tmp_path)[0] if each.folder == file.parent.name]
    assert found is not None and why in str(found)
    assert make(tmp_path, again := Pretending(tmp_path))[0] is Exit.OK
    assert [words[0] for words in again.ran] == ["conformance"]


def test_a_command_that_broke_does_not_keep_the_others_from_being_run(tmp_path: Path) -> None:
    runs = Pretending(tmp_path, [int(Exit.RUN_BROKEN)])
    assert make(tmp_path, runs)[0] is Exit.OK and len(runs.ran) == 2
    assert make(tmp_path, again := Pretending(tmp_path))[0] is Exit.OK
    assert [words[0] for words in again.ran] == ["conformance"], "what broke is no evidence"


@pytest.mark.parametrize(
    "more",
    [
        {"replay": "python3 -m harness conformance --seed 2"},
        {"target_digest": "sha256:2222"},
        {"target": "another"},
        {"started_utc": "2025-01-01T00:00:00Z"},
        {"errors": ("a pod died",)},
        {"leaks": ("port 5432",)},
        {"status": None},
        {"status": 31},
        {"rung": EnvironmentKind.SIM},
    ],
)
def test_no_other_run_holds_a_command(more: dict[str, object]) -> None:
    of: dict[str, object] = {"replay": LINES[0], "status": 0, **more}
    assert held([stored("run", **of)], ASKED, LINES[0]) == ""  # type: ignore[arg-type]
    assert held([stored("run", replay=LINES[0])], ASKED, LINES[0]) == "run"


def test_a_review_is_made_again_behind_what_it_reads(tmp_path: Path) -> None:
    """Never before: else it would say of what was made since that it is not there."""
    page = "python -m harness operations weekly --seed 1"
    old, new = "2026-01-08T00:00:00.000Z", "2026-01-09T00:00:00.000Z"
    seen, later = stored("seen", replay=LINES[0], started_utc=old), stored("later", replay=LINES[0], started_utc=new)
    review = stored("review", replay=page, started_utc="2026-01-08T12:00:00.000Z")
    assert held([seen, review], ASKED, page, LINES[:1]) == "review"
    assert held([seen, later, review], ASKED, page, LINES[:1]) == held([review], ASKED, page, LINES[:1]) == ""
    text = TINY.replace("network --on kind --seed 1", "operations weekly --seed 1").replace(
        "1min}", "1min, reviews: true}"
    )
    plan = parse(text, "x.yaml", EvidencePlan, name="x")
    runs = [stored(name, replay=line, started_utc=old) for name, line in zip("ab", LINES, strict=True)]
    for found, left in (([*runs, review], False), ([runs[0], review], True)):
        due = due_of(plan, found, ASKED, target=None, reports=tmp_path, lang="en")
        assert due[2].left is left, due[2]


@pytest.mark.parametrize(
    "replay", [LINES[0].replace("3", ""), LINES[0].replace("3", "3.12"), f"{LINES[0]} --no-defaults"]
)
def test_a_line_that_runs_the_same_as_another_person_typed_it_holds_the_command(replay: str) -> None:
    assert held([stored("run", replay=replay)], ASKED, LINES[0]) == "run"
    assert held([stored("run", replay=LINES[0])], ASKED, replay) == "run"


@pytest.mark.parametrize("no_defaults", [False, True])
def test_without_defaults_no_command_of_the_plan_reads_any(
    no_defaults: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rehearsal.toml").write_text("[conformance]\nfuzz = 7\n")
    monkeypatch.chdir(tmp_path)
    due = due_of(PLAN, [], ASKED, target=None, reports=tmp_path, lang="en", no_defaults=no_defaults)
    assert ("7" in due[0].words) is not no_defaults and "--no-defaults" in due[0].words
    assert all("--no-defaults" in each.words for each in due) is no_defaults


def test_the_newest_of_two_that_hold_it_is_named() -> None:
    found: list[StoredResult] = [
        stored("new", replay=LINES[0]), stored("old", replay=LINES[0], started_utc="2026-01-08T00:00:00.000Z"),
    ]  # fmt: skip
    assert held(found, ASKED, LINES[0]) == "new"


def test_a_target_of_ones_own_is_named_to_every_command_and_one_that_takes_none_is_told(tmp_path: Path) -> None:
    program = tmp_path / "walk-api"
    program.write_text("")
    program.chmod(0o755)
    plan = parse(TINY.replace("network --on kind --seed 1", "mirror_stop --seed 1"), "x.yaml", EvidencePlan, name="x")
    due = due_of(plan, [], ASKED, target=str(program), reports=tmp_path, lang="en")
    assert [f"--target {program}" in each.replay for each in due] == [True, True, False]
    assert due[2].cannot is not None and english((due[2].cannot,)) == "it rehearses the bundled API alone"
    assert any("cannot be run here" in str(line) for line in told(plan, due))


LEFT_OUT = {
    "ours": {"--repository"},
    "a command": {"mirror_stop", "--repository", "--on kube"},
    "an image": {
        *("mirror_stop", "--repository", "--on local", "conformance", "migration_drill", "flag_proof", "alert_drill"),
        "operations",
    },
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_the_lines_beside_blockers_can_be_typed_of_the_target_that_is_asked_about(tmp_path: Path, kind: str) -> None:
    program = tmp_path / "walk-api"
    program.touch(0o755)
    target = {"ours": None, "a command": str(program), "an image": "image:walk-api:v3"}[kind]
    of = msgspec.structs.replace(ASKED, target=resolve(target).name)
    ran = "python3 -m harness scaling --on kind --manifests 'their prod' --seed 1"
    found = [
        stored("1", target=of.target, replay=f"{ran} --openapi old.yaml"),
        stored("2", target=of.target, replay=f"{ran} --openapi api.yaml", started_utc="2026-01-09T12:00:00Z"),
        stored("3", target="another", replay=f"{ran} --openapi no.yaml", started_utc="2026-01-09T13:00:00Z"),
        stored("4", target=of.target, replay="the end of a 'quote", started_utc="2026-01-09T14:00:00Z"),
    ]
    lines = lines_of(found, of, target=target, theirs={"reports": tmp_path, "context": "theirs"})
    steps = [step.run for step in bundled("signoff", EvidencePlan).steps]
    left = [step.split() for step in steps if not any(word in step for word in LEFT_OUT[kind])]
    assert [line.split()[0] for line in lines] == [words[0] for words in left]
    for line in lines:
        command = command_of(shlex.split(line))
        said = {each.name: each.metadata for each in dataclasses.fields(command)}
        values = vars(command)
        assert "on" not in said or values["on"] in said["on"]["argparse"]["choices"]
        assert values.get("target", target) == target and values["reports"] == tmp_path
        assert ("--context theirs" in line) is ("--on kube" in line)
        assert ("--manifests 'their prod'" in line) is ("manifests" in said and said["manifests"]["in_place"])
        assert ("--openapi api.yaml" in line) is line.startswith("conformance ")


def test_the_whole_plan_has_a_step_of_each_command_that_judges() -> None:
    named = {step.words[0] for step in bundled("signoff", EvidencePlan).steps}
    judge = {command for claim in claims.REGISTER.values() for command in claim.judged_by}
    assert judge - named == set()


@pytest.mark.parametrize("name", ["signoff", "signoff_short"])
def test_the_plans_make_evidence_for_every_claim_that_a_command_judges(name: str) -> None:
    plan = bundled(name, EvidencePlan)
    named = {step.words[0] for step in plan.steps}
    unmade = {claim.id for claim in claims.REGISTER.values() if claim.judged_by and not {*claim.judged_by} & named}
    assert unmade == set()
    assert "operations weekly" in {" ".join(step.words[:2]) for step in plan.steps}
    assert "operations monthly" in {" ".join(step.words[:2]) for step in plan.steps}
    weeks = [command for step in plan.steps if isinstance(command := command_of(step.words), RunCommand)]
    assert any(week.planned().faults for week in weeks), "of a week that is rolled back alone is the roll back seen"
    due = due_of(plan, [], ASKED, target=None, reports=Path("reports"), lang="en")
    assert all(each.environment in {"local", "kind", "kube"} for each in due), "none is chosen by what a machine has"


def test_the_short_plan_is_through_in_150_minutes_and_a_longer_one_is_refused() -> None:
    short = bundled("signoff_short", EvidencePlan)
    assert short.within_s == 150 * 60 and sum(step.takes_s for step in short.steps) <= short.within_s
    text = (PLANS / "signoff_short.yaml").read_text("utf-8")
    with pytest.raises(BadInput, match="the commands take"):
        parse(text.replace("within: 150min", "within: 30min"), "x.yaml", EvidencePlan, name="x")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--short",), "say what --run runs"),
        (("--run", "--short", "--plan", "x.yaml"), "name two plans"),
        (("--run", "--digest", "sha256:1"), "runs what the target is today"),
        (("--run", "--plan", "nosuch.yaml"), "nosuch.yaml"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_run(
    words: tuple[str, ...], error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["signoff", "--reports", str(tmp_path), *words]) == Exit.USAGE
    assert error in capsys.readouterr().err and not [*tmp_path.iterdir()]


def test_an_interrupted_making_writes_the_page_and_says_what_it_ends_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "tiny.yaml"
    plan.write_text(TINY)
    monkeypatch.setattr("harness.cli.stored.evidence.run_process", lambda _: int(Exit.INTERRUPTED))
    words = ["signoff", "--run", "--plan", str(plan), "--reports", str(tmp_path / "reports")]
    assert main(words) == Exit.INTERRUPTED
    said = capsys.readouterr()
    assert "(exit status 130)" in said.out.splitlines()[-1] and "command 1 of 2 ended in 130" in said.err
    assert (tmp_path / "reports/signoff/signoff.html").is_file()


_CHILD = """
import signal, sys, time
from pathlib import Path
mark = Path(sys.argv[-1])
def end(*_):
    mark.write_text(mark.read_text() + "interrupted ")
    time.sleep(0.3)
    mark.write_text(mark.read_text() + "ended")
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
mark.write_text("began ")
time.sleep(60)
"""
_PARENT = """
import sys
from harness.cli.stored.evidence import run_process
sys.executable = sys.argv[1]
print(run_process(sys.argv[2:]), flush=True)
"""


@pytest.mark.process
def test_an_interrupt_reaches_the_command_under_way_and_its_ending_is_waited_for(tmp_path: Path) -> None:
    mark, child = tmp_path / "mark", tmp_path / "child"
    child.write_text(f"#!{sys.executable}\n{_CHILD}")
    child.chmod(0o755)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(child), str(mark)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(PLANS.parents[1])},
    )  # fmt: skip
    give_up = time.monotonic() + 20
    while not mark.exists() or not mark.read_text():
        assert time.monotonic() < give_up and parent.poll() is None
        time.sleep(0.05)
    parent.send_signal(signal.SIGINT)
    out, _ = parent.communicate(timeout=20)
    assert out.strip() == str(int(Exit.INTERRUPTED))
    assert mark.read_text() == "began interrupted ended"


@pytest.mark.process
def test_standard_output_is_left_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    child = tmp_path / "child"
    child.write_text("#!/bin/sh\necho a summary\n")
    child.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(child))
    assert run_process([]) == 0
    assert capfd.readouterr() == ("", "a summary\n")


@pytest.mark.process
def test_while_a_command_runs_only_the_heartbeat_of_its_own_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    child = tmp_path / "child"
    child.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(4.5)\n")
    child.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(child))
    with Heartbeat("signoff", silent_s=3.5):  # more than the machine stands still
        assert run_process([]) == 0
    assert capsys.readouterr().err == ""
