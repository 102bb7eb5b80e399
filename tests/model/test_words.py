"""The words for identifiers of ours in the evidence: each that a rehearsal writes has one, and no page shows an identifier."""

from __future__ import annotations

import re

import pytest

from harness.model.evidence import Outcome
from harness.model.judgement import OUTCOME, PHASES, Decision
from harness.model.stack import FaultKind
from harness.report.html import summary
from harness.report.language import language
from tests import register as claims
from tests.corpus import today

_OURS = {*PHASES, *OUTCOME, *Decision, *FaultKind}


def test_each_way_in_which_a_request_fails_has_its_word() -> None:
    assert {*OUTCOME} == {*Outcome} - {Outcome.OK}


@pytest.mark.parametrize("code", ["en", "ja"])
@pytest.mark.parametrize("run", ["week3_roll_back", "week3_virtual_roll_back", "deploy"])
def test_no_identifier_stands_where_a_page_tells_what_happened(run: str, code: str) -> None:
    said = summary(today.result(run), claims.REGISTER, language(code)).replace("\\_", "_")
    cells = {each.strip() for line in said.splitlines() if line.startswith("| ") for each in re.split(r"[|:、,]", line)}
    raw = {name for name in _OURS if "_" in name or code == "ja"}
    assert cells & raw == set()
