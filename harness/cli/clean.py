"""``python -m harness clean``: what is kept for later and nobody uses any more, listed and removed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import msgspec

from harness.base.errors import Exit, tool_status
from harness.base.message import message
from harness.report.language import language
from harness.run.arguments import AsJson, InReports, Spoken
from harness.run.command import option, within


@dataclass(frozen=True, kw_only=True)
class Clean(InReports, Spoken, AsJson):
    """What nobody used for 30 days, listed, or removed with --yes.

    Environments of older locks, npm packages, templates, packages and programs of images, and this project's Docker
    images. What a process or a container has is never listed. A later run installs again what it needs.

    Stored runs are evidence: they are listed only with --runs-older-than or --keep, and never the newest, nor those
    that a sign-off page names. With both options only the runs to which both apply. Their lines of history.jsonl go
    with them. 40 when something could not be removed.
    """

    name = "clean"
    example = "--runs-older-than 90"

    yes: bool = option("remove what is listed", default=False, consent=True)
    runs_older_than: int | None = option("also runs that are older, in days", within(1, 36_500), metavar="DAYS")
    keep: int | None = option("also runs that are not among the newest so many", within(1, 1_000_000), metavar="N")

    def run(self) -> int:
        """Lists, and with ``yes`` removes; 40 when something could not be removed."""
        from harness.cli import unused
        from harness.report.index import recalled

        say, found = language(self.lang), unused.found()
        if self.runs_older_than is not None or self.keep is not None:
            found += unused.runs(self.reports, self.runs_older_than or 0, self.keep or 0)
        left = [each for each in found if not (self.yes and unused.remove(each))]
        if any(each.kind == unused.RUN and each.removed for each in found):
            recalled(self.reports)  # the history and the index without them
        if self.json:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        else:
            gib = f"{sum(each.mib for each in left if not each.removed) / 1024:.1f}"
            lines = [*(each.told for each in found), message("{gib} GiB are left; --yes removes them", gib=gib)]
            sys.stdout.write("".join(f"{say.message(line)}\n" for line in lines))
        return tool_status({Exit.LEAK: self.yes and left})
