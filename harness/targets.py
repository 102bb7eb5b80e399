"""The API under test. Today the bundled walk API; ``--target`` takes any other from step B on."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.model.stack import Target

ROOT = Path(__file__).resolve().parent.parent


def bundled() -> Target:
    """The reference walk API of this repository, run as a command like any other target."""
    return Target(
        name="bundled walk API (Python)",
        command=(sys.executable, "-m", "api"),
        folder=str(ROOT),
        migrations=(sys.executable, "-m", "api", "migrate"),
        bundled=True,
    )
