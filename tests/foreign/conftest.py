"""The foreign targets, built or installed once a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.foreign.targets import Language, build_go, go_program, install_node

Programs = Callable[[Language], Path]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The program of a language: built, or its packages installed, at the first call for it."""
    made: dict[Language, Path] = {}

    def program(language: Language) -> Path:
        if language is Language.GO and go_program() is None:
            pytest.skip("no Go on this machine")
        if language not in made:
            made[language] = build_go(tmp_path_factory.mktemp("go")) if language is Language.GO else install_node()
        return made[language]

    return program
