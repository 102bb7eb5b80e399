"""The reports' synthetic weeks, as folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.evidence import Row
from harness.model.run import Run
from tests.report.conftest import healthy, rolled_back
from tests.stored.folders import stored

__all__ = ["healthy", "rolled_back"]

Week = tuple[Run, list[Row]]


@pytest.fixture(scope="session")
def good(healthy: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("good") / "run", *healthy)


@pytest.fixture(scope="session")
def bad(rolled_back: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("bad") / "run", *rolled_back)
