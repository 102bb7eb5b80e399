"""One conformance run of the bundled API, fuzzed too, for all tests that look at such a run."""

from __future__ import annotations

import pytest

from tests.conformance.targets import Conformed, conform


@pytest.fixture(scope="session")
def conformed(tmp_path_factory: pytest.TempPathFactory) -> Conformed:
    """Every check and 25 s of drawn requests, seed 7, on one stack."""
    folder = tmp_path_factory.mktemp("conformed")
    junit = folder / "junit.xml"
    done = conform(folder / "reports", "--seed", "7", "--fuzz", "25", "--json", "--junit", str(junit))
    return Conformed(done=done, reports=folder / "reports", junit=junit)
