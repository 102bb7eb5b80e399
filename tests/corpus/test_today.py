"""Real runs of today's harness: their judges say of the stored evidence what they said then, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge.combine import combine
from harness.report.published import RESULT
from tests.corpus.today import TODAY, rehearsed
from tests.rehearsal.again import judged_again

RUNS = sorted(path for path in TODAY.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", RUNS, ids=lambda each: each.name)
def test_it_is_judged_and_drawn_as_it_was(folder: Path) -> None:
    """``python -m tests.corpus.today renew`` writes it anew after a change that was meant."""
    judged_again(*rehearsed(folder))
    result = RESULT.read(folder / "result.json")
    assert result.decision in (None, combine(result.judgements))
