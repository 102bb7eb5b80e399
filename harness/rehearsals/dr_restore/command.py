"""``python -m harness dr_restore``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.base import units
from harness.base.errors import BadInput
from harness.base.message import said_by
from harness.rehearsals.dr_restore.types import PARTS, RecoveryPlan
from harness.run.arguments import OwnPlan, Rehearsing, WithTarget
from harness.run.command import Duration, below, option, whole
from harness.run.only import belong, chosen, left_out, only
from harness.run.options import Options
from harness.stack.target.targets import resolve

#: The part that alone reads an option.
_OF_PART = {"on": ("stack",), "points": ("points",), "size": ("sizes",), "sizes": ("sizes",), "stall": ("stall",)}
_LARGEST = units.size_bytes("128MiB")


def _below_128_mib(sizes: str) -> bool:
    """Whether the largest of the sizes is less than the document's plan measures."""
    return max(map(units.size_bytes, sizes.split(","))) < _LARGEST


@dataclass(frozen=True, kw_only=True)
class DrRestore(OwnPlan, Rehearsing, WithTarget):
    """Disasters, restore, backups, the document's procedure."""

    name = "dr_restore"
    example = "--only disasters,points --points 50"

    only: tuple[str, ...] = only(f"parts of {', '.join(PARTS)}")
    on: str = option(
        "the environment of the part `stack`; auto is kind where it is at hand, else local",
        choices=("auto", "local", "kind"),
        default="local",
        always=True,
    )
    points: int | None = option("random restore points (nightly: 50)", whole, metavar="N", less=below(3))
    size: str | None = option("one more size, e.g. 1GiB: ours against the bare work there", metavar="SIZE")
    sizes: str | None = option(
        "the measured sizes, at least four, e.g. 64MiB,128MiB,...", metavar="SIZE,...", less=_below_128_mib
    )
    stall: Duration | None = option(
        "how long the archiver stalls, in moved time, e.g. 90min", Duration, metavar="TIME", less=below("50min")
    )
    manifests: Path | None = option("", Path)  # for tests, which want quicker probes

    def unread(self) -> tuple[str, ...]:
        """Those of parts that are left out."""
        return (*super().unread(), *left_out(_OF_PART, chosen(self.only, PARTS)))

    def planned(self) -> RecoveryPlan:
        plan, parts = self.read(RecoveryPlan), chosen(self.only, PARTS)
        belong(self, _OF_PART)
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
                parts=parts,
            )
        except ValueError as error:
            where, remedy = "--points, --size, --sizes, --stall", "--help shows what it takes"
            raise BadInput(said_by(error), where=where, remedy=remedy) from error

    def resolved(self) -> Options:
        from harness.stack.environments.choice import choose, folder_of, for_rung

        asked = resolve(self.target)
        rung = choose(self.on, asked).rung
        target = for_rung(asked, rung)
        return replace(self, on=str(rung)).at(rung, target, folder_of(self.manifests, target, rung))
