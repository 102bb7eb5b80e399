"""Of a part whose length nobody knows it is said which of how many it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.model.parts import nth
from harness.report.language import language


def test_a_part_is_said_by_its_number_its_name_and_its_title() -> None:
    parts: list[Any] = [SimpleNamespace(name=name, title=name.title()) for name in ("manual", "hpa", "drain")]
    assert str(nth(parts, parts[1])) == "part 2 of 3, hpa: Hpa"
    assert language("ja").message(nth(parts, parts[2])) == "部分3/3、drain：Drain"
