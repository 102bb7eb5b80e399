"""``python -m harness reconcile``: which stack, which direction, and what is said of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.base.errors import Exit, tool_status
from harness.cli.live import OnLiveStack, live
from harness.model.direction import Direction
from harness.model.message import Message, message
from harness.report.language import language
from harness.run.arguments import AsJson, Spoken
from harness.run.command import option

if TYPE_CHECKING:
    from harness.migration.heal import Healing

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Reconcile(Spoken, AsJson, OnLiveStack):
    """What differs between the stores of a live stack; mended.

    Without --apply it is only told.
    """

    name = "reconcile"
    example = "--direction postgresql_to_firestore"

    direction: Direction = option("which store is right", Direction, choices=tuple(Direction), required=True)
    apply: bool = option("do it; without it only say what differs", default=False, consent=True)

    def run(self) -> int:
        """0 when the stores agree or were healed; 10 when they differ and nothing was done, or walks were left."""
        endpoints = live(self.endpoints, self.stack)
        from harness.cli.migrate import confine
        from harness.migration.heal import heal
        from harness.migration.source import of_endpoints

        confine(of_endpoints(endpoints), beyond=self.beyond_this_machine)
        found = asyncio.run(heal(endpoints, self.direction, apply=self.apply))
        lines = map(language(self.lang).message, told(found, applied=self.apply))
        sys.stdout.write((msgspec.json.encode(found).decode() if self.json else "\n".join(lines)) + "\n")
        return tool_status({Exit.HOLD: found.named or (found.changes and not self.apply)})


def told(found: Healing, *, applied: bool) -> Iterator[Message]:
    """What was found and done, for a terminal."""
    yield message("{told}: done", told=found.told) if applied and found.changes else found.told
    for what, names in (
        (message("written"), found.write),
        (message("deleted"), found.delete),
        (message("copied"), found.copy),
        (message("replaced"), found.replace),
        (message("left alone"), found.named),
    ):
        for name in names[:_SHOWN]:
            yield message("  {what}: {name}", what=what, name=name)
        if more := names[_SHOWN:]:
            yield message("  {what}: {count} more", what=what, count=str(len(more)))
