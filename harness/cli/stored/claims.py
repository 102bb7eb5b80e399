"""``python -m harness claims [ID]``: what the document promises, what decides it, and what the stored runs say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

from harness.base.data import CLAIMS
from harness.base.errors import BadInput, Exit, tool_status
from harness.base.planfile import bundled
from harness.cli.stored.command import as_json
from harness.report.language import language
from harness.run.arguments import AsJson, InReports, Spoken, WithTarget
from harness.run.command import option

if TYPE_CHECKING:
    from harness.model.claim import Claim
    from harness.report.signoff.types import ClaimStanding
    from harness.rules.register import Register


@dataclass(frozen=True, kw_only=True)
class Claims(WithTarget, InReports, Spoken, AsJson):
    """A claim: what decides it, and what the runs say of it.

    It prints what is promised and where, which rules decide it in which rehearsal, the errata, and where it stands by
    the stored runs, as the sign-off page has it. Without an id all claims are listed. With --against it says which
    quotations moved, changed or vanished in a new revision of the document: 0 where none changed or vanished, else 10.
    """

    name = "claims"
    example = "manifest.pdb --lang ja"

    ids: tuple[str, ...] = option("of claims or errata", positional=True, nargs="*", default=(), metavar="ID")
    register: Path = option("a folder of claims: those of another document", Path, default=CLAIMS, metavar="DIR")
    against: Path | None = option("a new revision of the document, to set its quotations against", Path, metavar="FILE")

    def run(self) -> int:
        """Prints them."""
        from harness.cli.stored.claim_page import listed, page, text
        from harness.rules.register import read

        register, say = read(self.register), language(self.lang)
        if self.against:
            return self._set_against(self.against, register)
        if not self.ids:
            found = register.claims if self.json else None
            sys.stdout.write(listed(register, say) if found is None else as_json([*found.values()]).decode())
            return Exit.OK
        asked = {claim.id: claim for claim in (_claim(id_, register) for id_ in self.ids)}
        standings = self._standings(asked, register)
        pages = [page(claim, standings[claim.id]) for claim in asked.values()]
        sys.stdout.write(as_json(pages).decode() if self.json else "\n".join(f"{text(each, say)}\n" for each in pages))
        return Exit.OK

    def _set_against(self, path: Path, register: Register) -> int:
        """Says what became of the quotations in the revision at ``path``."""
        from harness.base.yamltext import read
        from harness.cli.stored.revision import Became, fates, told
        from harness.run.scenarios.index import committed

        index = {each.place: each.digest for each in committed() if self.register.resolve() == CLAIMS}
        ids = {_claim(each, register).id for each in self.ids} or register.claims.keys()
        text = normalize("NFC", read(path).removeprefix("\ufeff"))
        found = [each for each in fates(register.claims.values(), index, text) if each.id in ids]
        sys.stdout.write(as_json(found).decode() if self.json else "\n".join((*told(found, language(self.lang)), "")))
        return tool_status({Exit.HOLD: any(each.fate in (Became.CHANGED, Became.VANISHED) for each in found)})

    def _standings(self, of: Mapping[str, Claim], register: Register) -> dict[str, ClaimStanding]:
        """Where the claims stand, by the runs that count judged again."""
        from harness.cli.stored.signoff import asked_of, judged_today
        from harness.report.signoff.ledger import MonthCalendar, ledger
        from harness.report.signoff.states import standings
        from harness.run.dependencies import gathered

        stored, _ = gathered(self.reports)
        wanted, about = asked_of(self.target), {*of, *(each.id for claim in of.values() for each in claim.errata)}
        said = [
            each
            for each in stored
            if any(not about.isdisjoint((*found.claims, found.erratum)) for found in each.result.judgements)
        ]
        today = {each.folder: each for each in judged_today(said, wanted, self.reports, self.lang, register.claims)}
        runs = [today.get(each.folder, each) for each in stored]
        month = ledger(bundled("ledger", MonthCalendar), runs, wanted)
        return {each.claim: each for each in standings(register.claims, runs, wanted, ledger=month)}


def _claim(id_: str, register: Register) -> Claim:
    """The claim of that id, or of that erratum. Raises ``BadInput``."""
    from harness.base.message import message, nearest

    if id_ in register.claims:
        return register.claims[id_]
    if id_ in register.errata:
        return register.errata[id_][0]
    near = nearest(id_, [*register.claims, *register.errata])
    told = message("unknown claim {claim}{near}", claim=repr(id_), near=near)
    raise BadInput(told, where="ID", remedy="without an id all claims are listed")
