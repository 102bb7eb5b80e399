"""The tool of machines without an image registry, ``tools/offline-kind``."""

from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "offline-kind"
