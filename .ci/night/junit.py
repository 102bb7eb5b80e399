"""What a JUnit file says: how many tests, and which failed."""

from __future__ import annotations

import xml.etree.ElementTree as Tree
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """Of one file: its tests, and the names of those that failed; ``broken`` when it is no JUnit."""

    tests: int = 0
    failed: tuple[str, ...] = ()
    broken: str = ""


def read(path: Path) -> Outcome:
    """The file's outcome; never raises: a file that cannot be read is an outcome too."""
    try:
        root = Tree.parse(path).getroot()  # noqa: S314 - this night's own
    except (OSError, Tree.ParseError) as error:
        return Outcome(broken=f"cannot be read: {error}")
    if root.tag not in {"testsuites", "testsuite"}:
        return Outcome(broken=f"is no JUnit but <{root.tag}>")
    cases = list(root.iter("testcase"))
    failed = [
        ".".join(filter(None, (case.get("classname"), case.get("name"))))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return Outcome(len(cases), tuple(failed))
