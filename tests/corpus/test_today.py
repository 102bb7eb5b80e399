"""Real runs of today's harness: their judges say of the stored evidence what they said then, word for word."""

from __future__ import annotations

import pytest

from harness.rules.judged import combine
from tests.corpus.today import NAMES, rehearsed, result
from tests.rehearsal.again import judged_again


@pytest.mark.parametrize("name", NAMES)
def test_it_is_judged_and_drawn_as_it_was(name: str) -> None:
    """``python -m tests.corpus.today renew`` writes it anew after a change that was meant."""
    judged_again(*rehearsed(name))
    found = result(name)
    assert found.decision in (None, combine(found.judgements))
