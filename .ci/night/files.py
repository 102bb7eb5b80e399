"""JSON files that one job writes and another reads: whole or not at all, and a bad one is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from night.errors import Trouble


def read(path: Path, kind: type[dict[Any, Any]] | type[list[Any]]) -> Any:
    """The file's content. Raises ``Trouble`` when it cannot be read or is no ``kind``."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Trouble(
            f"{path} cannot be read: {error}", remedy="look at the job that should have written it"
        ) from error
    if not isinstance(found, kind):
        raise Trouble(f"{path} is no {'list' if kind is list else 'mapping'}", remedy="write it anew")
    return found


def write(path: Path, content: object) -> None:
    """Writes ``content`` as JSON, by a rename."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes the file by a rename, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".half")
    half.write_text(text, encoding="utf-8")
    half.replace(path)
