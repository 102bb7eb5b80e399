"""A text of Terraform is parsed once: most repositories here differ from another in one file of many."""

from __future__ import annotations

from functools import cache

import hcl2
import pytest

from harness.rehearsals.infrastructure import reading

PARSES = hcl2.loads


@cache
def parsed(text: str) -> reading.Document:
    """What the text holds, which nobody changes."""
    return PARSES(text, serialization_options=reading._PLAIN)


@pytest.fixture(autouse=True)
def each_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the parser reads it."""
    monkeypatch.setattr(reading.hcl2, "loads", lambda text, **_: parsed(text))
