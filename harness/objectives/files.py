"""The objectives of ``deploy/monitoring/slo``, read."""

from __future__ import annotations

import msgspec

from harness.base import yamltext
from harness.base.data import MONITORING
from harness.base.errors import BadInput
from harness.objectives.sloth import BURNS, Objective, objectives

SLO = MONITORING / "slo"


def defined() -> tuple[Objective, ...]:
    """Those of every file, the longest window first. Raises ``BadInput``."""
    found: list[Objective] = []
    for days in sorted(BURNS, reverse=True):
        for path in sorted((SLO / f"{days}d").glob("*.yaml")):
            for data, _ in yamltext.documents(yamltext.read(path), str(path)):
                try:
                    found += objectives(data, days)
                except msgspec.ValidationError as error:
                    raise BadInput(f"no file of Sloth's: {error}", where=str(path), remedy="see the others") from error
    return tuple(found)
