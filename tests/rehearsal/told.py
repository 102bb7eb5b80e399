"""Everything that a judge says of evidence made by hand, held word for word by a file beside the test.

After a change that was meant, ``TOLD_ANEW=1`` writes the file anew, and ``git diff`` shows every word that changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.model.judgement import Judgement


def told_as(judgements: Iterable[Judgement], file: Path) -> None:
    """Asserts that ``file`` has these judgements, whole."""
    found = msgspec.json.format(msgspec.json.encode([*judgements], order="sorted"), indent=1) + b"\n"
    if os.environ.get("TOLD_ANEW"):
        file.write_bytes(found)
    assert found.decode() == file.read_text("utf-8")
