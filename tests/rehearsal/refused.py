"""What is said of a bundled plan in whose file something else stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.base import planfile
from harness.base.data import PLANS
from harness.base.errors import BadInput


def refused(name: str, plan: type[Any], folder: Path, old: str, new: str) -> str:
    """Of the plan ``name`` with ``new`` for each ``old``."""
    text = (PLANS / f"{name}.yaml").read_text()
    assert old in text
    path = folder / "plan.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(BadInput) as error:
        planfile.load(path, plan)
    return str(error.value)
