"""``python3 -m harness size --of RUN``: what so many users take, by the knees of a stored run of load_stages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.base import planfile
from harness.base.errors import BadInput, Exit
from harness.cli.stored.command import RUN_HELP, as_json
from harness.model.message import message
from harness.report.language import Language, language
from harness.run.arguments import AsJson, InReports, Spoken
from harness.run.command import option

if TYPE_CHECKING:
    from harness.cli.stored.sizing import Size


@dataclass(frozen=True, kw_only=True)
class SizeCommand(InReports, Spoken, AsJson):
    """Pods, pool, database and cost for 500 users and more.

    By the knees of a stored run of load_stages, with the source and the bound of each figure, and which limit of the
    manifests and of the database's tier ends first. It runs nothing.
    """

    name = "size"
    example = "--of latest"

    of: str = option(RUN_HELP, metavar="RUN", default="latest")
    plan: Path | None = option("other users, pace and tiers", Path, metavar="FILE")
    prices: Path | None = option("unit prices of your own", Path, metavar="FILE")

    def run(self) -> int:
        """Prints the answer. Raises ``BadInput`` for a run of another rehearsal."""
        from harness.cli.stored.folder import read_stored  # NumPy and the judge load when they are needed
        from harness.cli.stored.sizing import SizePlan, Sizing
        from harness.rehearsals.cost.command import listed
        from harness.rehearsals.cost.month.tables import CostTables

        run = read_stored(self.of, self.reports)
        if run.result.rehearsal != "load_stages":
            told = message("the run is of {rehearsal}, not of load_stages", rehearsal=run.result.rehearsal)
            raise BadInput(told, where="--of", remedy="name a run of load_stages")
        plan = planfile.bundled("size", SizePlan) if self.plan is None else planfile.load(self.plan, SizePlan)
        tables, prices, say = planfile.bundled("cost", CostTables), listed(self.prices), language(self.lang)
        found, facts = Sizing(plan, tables, prices, run.plan, run.seen()).answer(), run.result.facts
        untried = [say.message(why)] if (why := tables.untried(prices)) else []
        words = {"run": run.result.run_id, "target": facts.target, "where": str(facts.rung)}
        text = "\n".join((say("run {run} of {target} on {where}", **words), *_lines(found, say), *untried, ""))
        sys.stdout.write(as_json(found).decode() if self.json else text)
        return Exit.OK


def _lines(found: Size, say: Language) -> Iterator[str]:
    from harness.cli.stored.words import aligned

    users = [say("{users} users, {rate} requests a second", users=each.users, rate=f"{each.rate_per_s:g}")
             for each in found.sizes]  # fmt: skip
    tables = zip(users, (each.figures for each in found.sizes), (each.ends for each in found.sizes), strict=True)
    first = (say("measured"), found.measured, ()), (say("users at which each limit ends"), found.limits, ())
    for head, figures, ends in (*first, *tables):
        rows = [(f"  {say.message(each.told)}", say.shown(each.shown), say.message(each.source)) for each in figures]
        yield from ("", head, *aligned(rows), *(f"  {say.message(end)}" for end in ends))
