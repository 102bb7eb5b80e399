"""The Node of this machine's PATH, where it does for what npm installs. Standard library only."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

OLDEST_NODE = 20  # firebase-tools 15


def on_path() -> Path | None:
    """``node`` on PATH when it is new enough and npm is there too, else ``None``. Starts it (40 ms)."""
    named = shutil.which("node")
    if named is None or shutil.which("npm") is None or _major(Path(named)) < OLDEST_NODE:
        return None
    return Path(named)


def _major(program: Path) -> int:
    """Its major version; 0 when it does not say."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
        return int(said.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0
