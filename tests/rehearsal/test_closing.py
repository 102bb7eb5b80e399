"""The word on lost mirror writes rests on every pod's log: what is named in none may be named in one that is gone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import Anchor
from harness.model.evidence import EventRow
from harness.model.judgement import Verdict
from harness.run.closing import _logged
from tests.checks.test_mirror_losses import LINES, A, B

PODS = [
    EventRow(at_ns=number, kind="pod", subject=pod, message="", data={"state": state})
    for number, (pod, state) in enumerate((("one", "Ready"), ("two", "Ready"), ("unscheduled", "Pending")))
]
ANCHOR = Anchor(monotonic_ns=0, unix_ns=0)


@pytest.mark.parametrize(
    ("lost", "logs", "verdict"),
    [
        ({A: 0}, ("one", "two"), Verdict.PASS),
        ({A: 0, B: 0}, ("one", "two"), Verdict.FAIL),
        ({A: 0, B: 0}, ("one",), Verdict.INCONCLUSIVE),
        ({A: 0, B: 0}, ("one", "two.empty"), Verdict.INCONCLUSIVE),
        ({B: 0}, (), Verdict.INCONCLUSIVE),
        ({A: 0}, ("one",), Verdict.PASS),
        ({}, (), Verdict.NOT_EXERCISED),
    ],
)
def test_a_lost_write_that_is_named_in_no_log_fails_where_every_log_is_there(
    tmp_path: Path, lost: dict[str, int], logs: tuple[str, ...], verdict: Verdict
) -> None:
    for pod in logs:
        content = LINES[0] if pod == "one" else b"" if pod.endswith(".empty") else LINES[1]
        (tmp_path / f"{pod.removesuffix('.empty')}.log").write_bytes(content)
    found = _logged(lost, ANCHOR, cast(Any, SimpleNamespace(events=PODS)), tmp_path)
    assert found.verdict is verdict
    assert ("no log of two" in found.reason or "no log of one, two" in found.reason) is (
        verdict is Verdict.INCONCLUSIVE
    )
