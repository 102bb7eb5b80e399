"""``python -m harness signoff``: where every claim of the document stands, on one page."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.base.clock import MachineClock, utc
from harness.base.errors import Exit
from harness.model.stack import Rung
from harness.rehearsal.arguments import AsJson, InReports, Spoken, WithTarget
from harness.rehearsal.command import Duration, option
from harness.report.files import write_atomically
from harness.report.language import language
from harness.signoff.types import Asked, Signoff
from harness.stack.identity import digest
from harness.stack.rungs import for_rung
from harness.stack.targets import resolve

#: The page and the errata of each language, the first first.
PAGES = {"ja": "signoff.html", "en": "signoff.en.html"}
ERRATA = {"ja": "errata.md", "en": "errata.en.md"}
_OLDEST = Duration("7d")


@dataclass(frozen=True, kw_only=True)
class SignOff(WithTarget, InReports, Spoken, AsJson):
    """Where every claim of the document stands, on one page.

    By the newest stored results. Those of another target or image, simulated ones and old ones do not count, and are
    listed as such. The page is written in both languages into reports/signoff, beside that of last time. 0 only where
    nothing blocks, else 10.
    """

    name = "signoff"
    example = "--target image:walk-api:v3 --max-age 14d"

    max_age: Duration = option("the oldest evidence that counts", Duration, default=_OLDEST, metavar="TIME")
    digest: tuple[str, ...] = option(
        "the program or image that counts, sha256:... (repeatable; default: what the target is today)",
        default=(),
        metavar="DIGEST",
    )

    def run(self) -> int:
        """Writes the pages."""
        from harness.signoff.document import document
        from harness.signoff.gather import encode, gather, keep, previous
        from scenarios import claims

        stored, unreadable = gather(self.reports)
        made = document(claims.REGISTER, stored, self._asked(), unreadable=unreadable, previous=previous(self.reports))
        folder = keep(self.reports, made).parent
        write_pages(folder, made)
        if self.json:
            sys.stdout.write(encode(made).decode())
        else:
            self._say(made, folder)
        return Exit.HOLD if made.blocked else Exit.OK

    def _asked(self) -> Asked:
        """The target as processes run it and as a cluster does. Raises ``BadInput``."""
        target, clock = resolve(self.target), MachineClock()
        today = dict.fromkeys(digest(for_rung(target, rung)) for rung in (Rung.LOCAL, Rung.KIND))
        return Asked(
            target=target.name,
            now_utc=utc(clock.anchor, clock.now_ns()),
            digests=self.digest or tuple(filter(None, today)),
            max_age_s=self.max_age.seconds,
        )

    def _say(self, made: Signoff, folder: Path) -> None:
        from harness.signoff.terminal import closing_lines

        for line in closing_lines(made, str(folder / PAGES[self.lang]), language(self.lang)):
            sys.stdout.write(f"{line}\n")


def write_pages(folder: Path, made: Signoff) -> None:
    """Page and errata in both languages, each with a link to the other. Raises ``EvidenceNotWritten``."""
    from harness.signoff.errata import Known, errata
    from harness.signoff.page import render
    from scenarios import claims
    from scenarios.errata import read_patches, read_shown_by

    known = Known(patches=read_patches(), shown_by=read_shown_by())
    for code, name in PAGES.items():
        say, other = language(code), next(each for each in PAGES if each != code)
        html = render(made, claims.REGISTER, claims.CHAPTERS, say, other=PAGES[other], errata=ERRATA[code])
        write_atomically(folder / name, html.encode())
        text = errata(made, claims.REGISTER, known, say, ERRATA[other])
        write_atomically(folder / ERRATA[code], text.encode())
