"""The objectives of ``deploy/monitoring/slo``, read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.base import yamltext
from harness.base.data import MONITORING
from harness.base.errors import BadInput
from harness.model.message import message
from harness.rules.objectives.sloth import BURNS, Objective, objectives

SLO = MONITORING / "slo"
#: What is otherwise where blackbox exporter probes, by the same names.
BLACKBOX = MONITORING / "blackbox"


def objective_files(slo: Path = SLO) -> Iterator[tuple[Path, int]]:
    """Every file of objectives, of which Sloth renders the rules file of that name, and over how many days they are:
    the longest window first."""
    for days in sorted(BURNS, reverse=True):
        for path in sorted((slo / f"{days}d").glob("*.yaml")):
            yield path, days


def by_blackbox() -> tuple[Objective, ...]:
    """The same objectives, the availability by what blackbox exporter tells. Raises ``BadInput``."""
    own = {each.name: each for each in defined(BLACKBOX / "slo")}
    return tuple(own.get(each.name, each) for each in defined())


def defined(slo: Path = SLO) -> tuple[Objective, ...]:
    """Those of every file, in their order. Raises ``BadInput``."""
    found: list[Objective] = []
    for path, days in objective_files(slo):
        for data, _ in yamltext.documents(yamltext.read(path), str(path)):
            try:
                found += objectives(data, days)
            except msgspec.ValidationError as error:
                raise BadInput(
                    message("no file of Sloth's: {error}", error=str(error)), where=str(path), remedy="see the others"
                ) from error
    return tuple(found)
