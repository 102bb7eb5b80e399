"""``python -m harness migrate``: from where to where, and what is said of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, Exit, tool_status
from harness.base.private import open_private
from harness.base.progress import Progress
from harness.cli.live import OnLiveStack, live
from harness.rehearsal.arguments import AsJson
from harness.rehearsal.command import Duration, flag, given_unread, option

if TYPE_CHECKING:
    from harness.migration.engine import Moved, Report
    from harness.migration.places import Places

REJECTS_VARIABLE = "MIGRATION_REJECTS"
_SHOWN = 20


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{text!r} is no time zone, such as Asia/Tokyo") from None


@dataclass(frozen=True, kw_only=True)
class Migrate(AsJson, OnLiveStack):
    """Users, walks and consents from Firebase to PostgreSQL.

    Safe while both stores are written; ended at any moment, the same command goes on where it was.
    """

    name = "migrate"
    example = "--dry-run"

    from_environment: bool = option("the stores that the variables of docs/contract/environment.md name", default=False)
    beyond_this_machine: bool = option("allow stores on other hosts, and Firebase itself: untried", default=False)
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
    settle: Duration = option(
        "wait so long for deletions on their way to Firestore; 0s where nobody writes",
        Duration,
        default=Duration("10s"),
        metavar="TIME",
    )

    def unread(self) -> tuple[str, ...]:
        """A dry run compares nothing."""
        return ("deletions", "settle") if self.dry_run else ()

    def run(self) -> int:
        """0 when every document is in PostgreSQL; 10 when some were refused, or the stores differ."""
        from harness.migration.engine import Migration  # the drivers of the stores load here: no help needs them
        from harness.migration.places import UNTRIED

        if self.anew and self.changed:
            raise BadInput("--anew and --changed say two things", remedy="leave one of them out")
        if more := sorted(given_unread(self)):
            raise BadInput(f"--dry-run compares nothing: {', '.join(map(flag, more))}", remedy="leave one of them out")
        places = self._places()
        clock = MachineClock()
        progress = Progress(clock)
        if places.beyond:
            progress.plain(f"{'; '.join(places.beyond)}: {UNTRIED}")
        migration = Migration(
            places, clock, progress, zone=self.time_zone, dry=self.dry_run, anew=self.anew,
            changed=self.changed, deletions=self.deletions, settle_s=self.settle.seconds,
        )  # fmt: skip
        report = asyncio.run(migration.run())
        rejects = self._rejects()
        if rejects is not None:
            with open_private(rejects) as file:
                file.writelines(msgspec.json.encode(each) + b"\n" for each in report.refused)
        said = msgspec.json.encode(report).decode() if self.json else "\n".join(told(report, rejects))
        sys.stdout.write(said + "\n")
        whole = report.verified is None or report.verified.whole
        return tool_status({Exit.HOLD: not whole or report.refused})

    def _places(self) -> Places:
        if self.from_environment and (self.endpoints is not None or self.stack):
            raise BadInput("--from-environment and a stack both say where", remedy="leave one of them out")
        from harness.migration.places import UNTRIED, of_endpoints, of_environment

        places = of_environment(os.environ) if self.from_environment else of_endpoints(live(self.endpoints, self.stack))
        if places.beyond and not self.beyond_this_machine:
            raise BadInput(
                f"not on this machine: {'; '.join(places.beyond)}",
                where="the environment" if self.from_environment else str(self.endpoints or self.stack),
                remedy="--beyond-this-machine, if that is meant; " + UNTRIED,
            )
        return places

    def _rejects(self) -> Path | None:
        named = os.environ.get(REJECTS_VARIABLE, "")
        return self.rejects or (Path(named) if named else None)


def told(report: Report, rejects: Path | None) -> Iterator[str]:
    """What was found and done, for a terminal."""
    would = "would be " if report.dry else ""
    yield (
        f"users: {report.users:,} in Auth, {report.users_made:,} rows {would}made, "
        f"{report.users_filled:,} {would}filled in"
    )
    yield from _told("walks", report.walks)
    yield from _told("consents", report.consents)
    if report.verified is not None:
        found = report.verified
        yield (
            f"compared: {found.documents:,} documents, {found.walks:,} walks in PostgreSQL: "
            + (f"{found.unchanged:,} unchanged since they were compared, " if found.unchanged else "")
            + f"{found.equal:,} equal by digest, {found.later:,} later in PostgreSQL, {found.different:,} different, "
            + f"{found.missing:,} missing, {found.refused:,} refused; {found.caught_up:,} written meanwhile and moved "
            + f"again, {found.taken_back:,} deleted meanwhile and taken back; {found.alone:,} in PostgreSQL alone, "
            + f"{found.orphans:,} of them as moved"
        )
    yield from (f"  refused: {each.document} {each.field}: {each.why}" for each in report.refused[:_SHOWN])
    if len(report.refused) > _SHOWN:
        yield f"  refused: {len(report.refused) - _SHOWN} more; {rejects or '--rejects FILE'} has them all"


def _told(kind: str, moved: Moved) -> Iterator[str]:
    fates = ", ".join(f"{count:,} {fate}" for fate, count in moved.fates.items() if count)
    rate = f" in {moved.seconds:.1f} s" if moved.seconds else ""
    resumed = ", behind what was done before" if moved.resumed else ""
    if moved.since is not None:
        resumed = f" written since {moved.since:%Y-%m-%d %H:%M:%S} UTC ({moved.unchanged:,} others were not)"
    yield f"{kind}: {moved.documents:,} documents{rate}{resumed}: {fates or 'none'}, {moved.refused:,} refused"
    for what, counts in (("absent and filled in", moved.repaired), ("without a column", moved.unknown)):
        yield from (f"  {what}: {name} ({count:,} documents)" for name, count in counts.items())
