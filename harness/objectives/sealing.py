"""Rules that Sloth rendered, with a digest of what they were rendered of: whether they are of the objectives as these
now are is known without Sloth, a program that has to be built."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from harness.base import yamltext

MADE = "# Made by `python -m harness.cli.monitoring`. Change deploy/monitoring/slo or harness/objectives.\n"


def windows_of(objectives: Path) -> Path:
    """The burn-rate windows of a file ``slo/<days>d/NAME.yaml``; Sloth's own where there is no such file."""
    return objectives.parents[1] / "windows" / f"{objectives.parent.name}.yaml"


def sealed(objectives: Path, sloth_version: str, rules: str) -> str:
    """The rules behind a line that names their file of objectives and holds a digest of these, their windows, Sloth's
    version and the rules: a change of any of them alone gives another line. Comments do not count."""
    sources = [each for each in (objectives, windows_of(objectives)) if each.exists()]
    read = [[data for data, _ in yamltext.documents(yamltext.read(each), str(each))] for each in sources]
    facts = [sloth_version.encode(), msgspec.json.encode(read, order="sorted"), rules.encode()]
    digest = hashlib.sha256(b"".join(hashlib.sha256(fact).digest() for fact in facts)).hexdigest()[:16]
    return f"{MADE.strip()} slo/{objectives.parent.name}/{objectives.name} {digest}\n{rules}"


def unsealed(text: str) -> str:
    """The rules as Sloth wrote them."""
    return text.partition("\n")[2]
