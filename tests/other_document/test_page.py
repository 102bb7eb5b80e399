"""A second document, of five claims about one service: its register, its rules, its rehearsal and its sign-off page."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.base.errors import Exit
from harness.cli.main import parse
from harness.model.judgement import Verdict
from harness.report.signoff.gather import DOCUMENT, FOLDER
from harness.report.signoff.types import ClaimState, Signoff
from harness.run import command
from harness.run.registry import MODULES
from tests.rehearsal.made import by_id, result_in
from tests.rehearsal.toy.actions import REHEARSAL
from tests.rehearsal.toy.plan import Toy

ON_LOCAL = {
    "service.answers": ClaimState.SHOWN,
    "service.every_pod": ClaimState.SHOWN,
    "service.at_once": ClaimState.FAILED,
    "service.answers_in_cluster": ClaimState.NOT_SHOWN,  # where less is proved
    "service.on_call": ClaimState.NOT_SHOWN,  # a person decides
}
SIMULATED = dict.fromkeys(ON_LOCAL, ClaimState.NOT_SHOWN)  # which is no evidence


@pytest.mark.parametrize(
    ("on", "states"), [("sim", SIMULATED), pytest.param("local", ON_LOCAL, marks=pytest.mark.stack)]
)
def test_its_page_says_where_each_claim_stands(
    on: str, states: dict[str, ClaimState], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODULES, "toy", "tests.rehearsal.toy.actions")
    kept = ["--reports", str(tmp_path)]
    assert command.parse(Toy, ["--on", on, *kept]).run() == Exit.HOLD
    run = tmp_path / "latest"
    assert {name: each.verdict for name, each in by_id(result_in(run).judgements).items() if each.claim} == {
        "service.answers": Verdict.PASS,
        "service.every_pod": Verdict.PASS,
        "service.at_once": Verdict.FAIL,
    }
    assert parse(["judge", str(run), *kept]).run() == Exit.HOLD
    assert parse(["report", str(run), *kept]).run() == Exit.OK
    assert "An answer takes a millisecond." in (run / "report.html").read_text()

    assert parse(["signoff", "--register", str(REHEARSAL.document), *kept]).run() == Exit.HOLD
    made = msgspec.json.decode((tmp_path / FOLDER / DOCUMENT).read_bytes(), type=Signoff)
    assert {each.claim: each.state for each in made.standings} == states
    page = (tmp_path / FOLDER / "signoff.en.html").read_text()
    assert all(claim in page for claim in states)
