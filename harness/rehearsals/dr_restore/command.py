"""``python -m harness dr_restore``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.base import planfile, units
from harness.base.errors import BadInput
from harness.model.stack import Rung
from harness.rehearsal.arguments import Rehearsing, WithTarget
from harness.rehearsal.command import Duration, option, whole
from harness.rehearsal.options import Options
from harness.rehearsals.dr_restore.types import PARTS, RecoveryPlan
from harness.stack.rungs import folder_of, for_rung
from harness.stack.targets import resolve

_PARTS = ", ".join(PARTS)


@dataclass(frozen=True, kw_only=True)
class DrRestore(Rehearsing, WithTarget):
    """Disasters, restore, backups, the document's procedure."""

    name = "dr_restore"
    example = "--only disasters,points --points 50"

    plan: Path | None = option(
        "a plan of your own (default: scenarios/plans/dr_restore.yaml)", Path, positional=True, nargs="?"
    )
    only: tuple[str, ...] = option(f"only these parts of {_PARTS} (repeatable)", default=(), metavar="PART,...")
    on: str = option("the stack's environment", choices=("local", "kind"), default="local", always=True)
    points: int | None = option("random restore points (nightly: 50)", whole, metavar="N")
    size: str | None = option("one more size, e.g. 1GiB: ours against the bare work there", metavar="SIZE")
    sizes: str | None = option("the measured sizes, at least four, e.g. 64MiB,128MiB,...", metavar="SIZE,...")
    stall: Duration | None = option("how long the archiver stalls, in moved time, e.g. 90min", Duration, metavar="TIME")
    manifests: Path | None = option("", Path)  # for tests, which want quicker probes

    def planned(self) -> RecoveryPlan:
        plan = planfile.load(self.plan, RecoveryPlan) if self.plan else planfile.bundled(self.name, RecoveryPlan)
        asked = [part.strip() for parts in self.only for part in parts.split(",")] or PARTS
        if unknown := [part for part in asked if part not in PARTS]:
            raise BadInput(f"unknown part {unknown[0]!r}", where="--only", remedy=f"the parts are {_PARTS}")
        stall_s = plan.stall.stall_s if self.stall is None else self.stall.seconds
        try:
            sizes = plan.sizes.sizes_bytes
            if self.sizes is not None:
                sizes = tuple(units.size_bytes(text) for text in self.sizes.split(","))
            if self.size is not None:
                sizes = (*sizes, units.size_bytes(self.size))
            return msgspec.structs.replace(
                plan,
                points=plan.points if self.points is None else self.points,
                sizes=msgspec.structs.replace(plan.sizes, sizes_bytes=tuple(sorted(set(sizes)))),
                stall=msgspec.structs.replace(plan.stall, stall_s=stall_s),
                parts=tuple(part for part in PARTS if part in asked),
            )
        except ValueError as error:
            raise BadInput(str(error), where="--points, --size, --sizes, --stall") from error

    def resolved(self) -> Options:
        rung = Rung(self.on)
        target = for_rung(resolve(self.target), rung)
        return self.at(rung, target, folder_of(self.manifests, target, rung))
