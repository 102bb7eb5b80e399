"""``python -m harness migrate``: from where to where, and what is said of it."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, Exit, tool_status
from harness.cli.live import OnLiveStack, live
from harness.model.message import Message, message
from harness.report.language import language
from harness.run.arguments import AsJson, Spoken, speaking
from harness.run.command import Duration, flag, given_unread, option, within

if TYPE_CHECKING:
    from harness.migration.source import StorePlaces

REJECTS_VARIABLE = "MIGRATION_REJECTS"


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the latter of a folder of zones: "Asia"
        raise ValueError(message("{value} is no time zone, such as Asia/Tokyo", value=repr(text[:80]))) from None


def confine(places: StorePlaces, *, beyond: bool) -> None:
    """Raise ``BadInput`` for stores that are not on this machine, unless ``beyond`` allows them."""
    from harness.migration.source import UNTRIED

    if places.beyond and not beyond:
        what = message("not on this machine: {places}", places="; ".join(places.beyond))
        remedy = message("--beyond-this-machine, if that is meant; {why}", why=Message(text=UNTRIED))
        raise BadInput(what, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class Migrate(Spoken, AsJson, OnLiveStack):
    """Users, walks and consents from Firebase to PostgreSQL.

    Safe while both stores are written; ended at any moment, the same command goes on where it was.
    """

    name = "migrate"
    example = "--dry-run"

    from_environment: bool = option("the stores that the variables of docs/contract/environment.md name", default=False)
    dry_run: bool = option("write nothing: count what would be done, and what is refused", default=False)
    time_zone: ZoneInfo | None = option("zone of times that say none (default: refused)", _zone, metavar="ZONE")
    rejects: Path | None = option("file of what was refused, a JSON line each", Path, metavar="FILE")
    anew: bool = option("begin with the first document, whatever an earlier run has done", default=False)
    changed: bool = option(
        "behind a run that came to its end: read and compare only what was written to Firestore since", default=False
    )
    deletions: bool = option(
        "delete walks that were deleted in Firestore since they were moved (default: named)", default=False
    )
    most_deletions: int | None = option(
        "delete no walk where more than so many would go, but list them (default: a tenth of all, and 10 at least)",
        within(0, 10**9),
        metavar="N",
    )
    settle: Duration = option(
        "wait so long for deletions on their way to Firestore; 0s where nobody writes",
        Duration,
        default=Duration("10s"),
        metavar="TIME",
    )

    def unread(self) -> tuple[str, ...]:
        """A dry run compares nothing."""
        return ("deletions", "most_deletions", "settle") if self.dry_run else ()

    def run(self) -> int:
        """0 when every document is in PostgreSQL; 10 when some were refused, or the stores differ."""
        from harness.migration.engine import Migration  # the drivers of the stores load here: no help needs them
        from harness.migration.source import UNTRIED
        from harness.migration.telling import told, write

        if self.anew and self.changed:
            raise BadInput("--anew and --changed say two things", remedy="leave one of them out")
        if more := sorted(given_unread(self)):
            what = message("--dry-run compares nothing: {options}", options=", ".join(map(flag, more)))
            raise BadInput(what, remedy="leave one of them out")
        places, most = self._places(), self.most_deletions
        clock = MachineClock()
        progress = speaking(clock, self.lang)
        if places.beyond:
            progress.plain(f"{'; '.join(places.beyond)}: {progress.say(UNTRIED)}")
        migration = Migration(
            places, clock, progress, zone=self.time_zone, dry=self.dry_run, anew=self.anew,
            changed=self.changed, deletions=self.deletions, settle_s=self.settle.seconds,
            most_deletions=lambda walks: max(10, walks // 10) if most is None else most,
        )  # fmt: skip
        report = asyncio.run(migration.run())
        rejects = self._rejects()
        if rejects is not None:
            write(report.refused, rejects)
        lines = map(language(self.lang).message, told(report, rejects))
        said = msgspec.json.encode(report).decode() if self.json else "\n".join(lines)
        sys.stdout.write(said + "\n")
        whole = report.verified is None or report.verified.whole
        return tool_status({Exit.HOLD: not whole or report.refused})

    def _places(self) -> StorePlaces:
        if self.from_environment and (self.endpoints is not None or self.stack):
            raise BadInput("--from-environment and a stack both say where", remedy="leave one of them out")
        from harness.migration.source import of_endpoints, of_environment

        places = of_environment(os.environ) if self.from_environment else of_endpoints(live(self.endpoints, self.stack))
        confine(places, beyond=self.beyond_this_machine)
        return places

    def _rejects(self) -> Path | None:
        named = os.environ.get(REJECTS_VARIABLE, "")
        return self.rejects or (Path(named) if named else None)
