"""A text of Terraform is parsed once: most repositories here differ from another in one file of many."""

from __future__ import annotations

from functools import cache

import hcl2
import pytest

from harness.rehearsals.infrastructure import reading
from harness.rehearsals.infrastructure.types import Document

PARSES = hcl2.loads


@cache
def parsed(text: str) -> Document:
    """What the text holds, which nobody changes."""
    found: Document = PARSES(text, serialization_options=reading._PLAIN)
    return found


@pytest.fixture(autouse=True)
def each_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the parser reads it by the options of ``reading``."""

    def loads(text: str, *, serialization_options: object) -> Document:
        assert serialization_options is reading._PLAIN
        return parsed(text)

    monkeypatch.setattr(hcl2, "loads", loads)
