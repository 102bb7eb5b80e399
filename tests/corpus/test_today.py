"""Real runs of today's harness: their judges say of the stored evidence what they said then, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge.combine import combine
from tests.corpus.today import TODAY, again

RUNS = sorted(path for path in TODAY.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", RUNS, ids=lambda each: each.name)
def test_it_is_judged_and_drawn_as_it_was(folder: Path) -> None:
    """``python -m tests.corpus.today renew`` writes it anew after a change that was meant."""
    now = again(folder)
    assert now.judgements == now.result.judgements
    assert now.sections == now.result.sections
    assert now.result.decision in (None, combine(now.judgements))
