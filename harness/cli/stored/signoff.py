"""``python -m harness signoff``: where every claim of the document stands, on one page."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.base import planfile
from harness.base.clock import MachineClock, utc
from harness.base.data import CLAIMS, PLANS, REPORTS
from harness.base.errors import BadInput, Exit, tool_status
from harness.base.progress import Progress
from harness.model.claim import Claim
from harness.model.message import message, of_error, raw_text
from harness.model.stack import EnvironmentKind
from harness.report.language import language, write_atomically
from harness.report.signoff.document import EvidencePlan
from harness.report.signoff.types import DecisionEntry, EvidenceWanted, Signoff, StoredResult
from harness.rules.register import read
from harness.run.arguments import AsJson, InReports, Spoken, WithTarget
from harness.run.command import Duration, option
from harness.run.own_cluster import OnCluster
from harness.stack.target.targets import resolve

#: The page and the errata of each language, the first first.
PAGES = {"ja": "signoff.html", "en": "signoff.en.html"}
ERRATA = {"ja": "errata.md", "en": "errata.en.md"}
OLDEST = Duration("7d")


def _digest(text: str) -> str:
    """A digest as results have it. Raises ``ValueError``."""
    if not re.fullmatch(r"sha256:[0-9a-f]+", text):
        raise ValueError(message("{value} is no digest, which is sha256: and digits of 0-9 and a-f", value=repr(text)))
    return text


@dataclass(frozen=True, kw_only=True)
class SignOff(WithTarget, InReports, OnCluster, Spoken, AsJson):
    """Where every claim of the document stands, on one page.

    By the stored results, judged again by today's judges. Those of another target or image, simulated ones and old ones
    do not count, and are listed as such. What people decided stands in decisions.yaml; --template prints what is open
    as entries to fill in. The page is written in both languages into reports/signoff, beside that of last time. 0 only
    where nothing of the phase blocks, else 10.

    With --run the commands of scenarios/plans/signoff.yaml are run first, but for those that a stored run of the same
    target holds; --short takes those of signoff_short.yaml, which are through within 150 minutes on two cores. What
    cannot be run on this machine is told. Interrupted, it goes on where it was when it is called again.
    """

    name = "signoff"
    example = "--target image:walk-api:v3 --max-age 14d"

    run_: bool = option("make the evidence that is missing first", default=False, dest="run_")
    short: bool = option("with --run: the plan of 150 minutes", default=False)
    plan: Path | None = option("with --run: a plan of your own", Path, metavar="FILE")
    repository: Path | None = option("with --run: a checkout of your own, which is read", Path, metavar="DIR")
    register: Path = option("a folder of claims: those of another document", Path, default=CLAIMS, metavar="DIR")
    decisions: Path | None = option("what people decided (default: decisions.yaml here)", Path, metavar="FILE")
    calendar: Path | None = option("your own month (default: scenarios/plans/ledger.yaml)", Path, metavar="FILE")
    template: bool = option("print every open item as an entry of decisions.yaml, and write no page", default=False)
    max_age: Duration = option("the oldest evidence that counts", Duration, default=OLDEST, metavar="TIME")
    digest: tuple[str, ...] = option(
        "the program or image that counts, sha256:... (repeatable; default: what the target is today)",
        _digest,
        default=(),
        metavar="DIGEST",
    )

    def run(self) -> int:
        """Makes evidence where that is asked for, and writes the pages."""
        from harness.cli.stored.evidence import lines_of
        from harness.report.signoff import decisions
        from harness.report.signoff.document import document
        from harness.report.signoff.gather import encode, keep, previous
        from harness.report.signoff.ledger import MonthCalendar, ledger
        from harness.run.dependencies import gathered

        if not (self.run_ or self.reports == REPORTS or self.reports.is_dir()):
            told = message("there is no reports folder {folder}", folder=str(self.reports))
            raise BadInput(told, where="--reports", remedy="name the folder that runs were kept in")
        register = read(self.register)
        decided, asked = self._decided(register.claims), asked_of(self.target, self.max_age.seconds, self.digest)
        calendar = planfile.load(self.calendar or PLANS / "ledger.yaml", MonthCalendar)
        made_it = self._make(asked, register.claims) if self._runs() else Exit.OK
        stored, unreadable = gathered(self.reports)
        asked = msgspec.structs.replace(asked, now_utc=_now())
        today = judged_today(stored, asked, self.reports, self.lang, register.claims)
        made = document(
            register.claims,
            today,
            asked,
            lines=lines_of(stored, asked, target=self.target, theirs=self._theirs()),
            decisions=decided,
            unreadable=unreadable,
            previous=previous(self.reports, asked.target),
            ledger=ledger(calendar, today, asked),
        )
        if self.template:
            standings = {each.claim: each for each in made.standings}
            sys.stdout.write(decisions.template(made.blockers, register.claims, standings))
            return Exit.OK
        folder = keep(self.reports, made).parent
        write_pages(folder, made, self.register)
        status = tool_status({made_it: True, Exit.HOLD: bool(made.blockers)})
        if self.json:
            sys.stdout.write(encode(made).decode())
        else:
            self._say(made, register.claims, folder, status)
        return status

    def _decided(self, claims: Mapping[str, Claim]) -> tuple[DecisionEntry, ...]:
        from harness.report.signoff import decisions

        path = self.decisions or Path(decisions.DECISIONS)
        return decisions.read(path, claims) if self.decisions or path.is_file() else ()

    def _runs(self) -> bool:
        """Whether evidence is to be made. Raises ``BadInput`` for what goes with that alone, or not with it."""
        if not self.run_ and (self.short or self.plan):
            raise BadInput("--short and --plan say what --run runs", remedy="add --run")
        if self.short and self.plan:
            raise BadInput("--short and --plan name two plans", remedy="leave one out")
        if self.run_ and self.digest:
            raise BadInput("--run runs what the target is today", remedy="leave --digest out")
        return self.run_

    def _make(self, asked: EvidenceWanted, claims: Mapping[str, Claim]) -> Exit:
        from harness.cli.stored.evidence import Making, due_of, run_process
        from harness.run.dependencies import gathered

        path = self.plan or PLANS / ("signoff_short.yaml" if self.short else "signoff.yaml")
        plan, clock = planfile.load(path, EvidencePlan), MachineClock()
        stored, _ = gathered(self.reports)
        due = due_of(
            plan,
            stored,
            asked,
            target=self.target,
            reports=self.reports,
            lang=self.lang,
            no_defaults=self.no_defaults,
            theirs=self._theirs(),
            register=claims,
        )
        return Making(Progress(clock), clock, language(self.lang), run_process).make(plan, due)

    def _theirs(self) -> dict[str, Any]:
        """What names the team's own cluster, repository and reports."""
        given: dict[str, Any] = {
            "context": self.context,
            "kubeconfig": self.kubeconfig,
            "image_registry": self.image_registry,
            "yes_use_this_cluster": self.yes_use_this_cluster,
            "repository": self.repository,
            "reports": self.reports,
        }
        return {name: value for name, value in given.items() if value not in (None, False, REPORTS)}

    def _say(self, made: Signoff, claims: Mapping[str, Claim], folder: Path, status: Exit) -> None:
        from harness.report.signoff.page import closing_lines

        page, say = str(folder / PAGES[self.lang]), language(self.lang)
        for line in closing_lines(made, claims, page, say, status):
            sys.stdout.write(f"{line}\n")


def asked_of(named: str | None, max_age_s: float = OLDEST.seconds, digests: tuple[str, ...] = ()) -> EvidenceWanted:
    """The target as processes run it and as a cluster does. Raises ``BadInput``."""
    from harness.stack.environments.choice import for_rung
    from harness.stack.environments.identity import digest

    target = resolve(named)
    today = dict.fromkeys(digest(for_rung(target, rung)) for rung in (EnvironmentKind.LOCAL, EnvironmentKind.KIND))
    known = digests or tuple(filter(None, today))
    return EvidenceWanted(target=target.name, now_utc=_now(), digests=known, max_age_s=max_age_s)


def judged_today(
    stored: Sequence[StoredResult], asked: EvidenceWanted, reports: Path, lang: str, claims: Mapping[str, Claim]
) -> tuple[StoredResult, ...]:
    """The runs that count with today's judgements; one that cannot be judged again says why."""
    from harness.cli.stored.again import judge_again
    from harness.cli.stored.folder import read_stored
    from harness.report.signoff.counting import about, left_out_for_all

    def judged(each: StoredResult) -> StoredResult:
        if each.lost is not None or left_out_for_all(each, asked, about(each.result, claims)):
            return each
        progress(say("judging {run}", run=each.folder))
        try:
            run = read_stored(str(reports / each.folder), reports)
            now = judge_again(run, run.seen())
        except Exception as error:  # what is left of a run may be of any kind
            lost = of_error(error) if isinstance(error, BadInput) else raw_text(repr(error))
            return msgspec.structs.replace(each, lost=lost)
        return msgspec.structs.replace(each, result=msgspec.structs.replace(each.result, judgements=now))

    progress, say = Progress(MachineClock()), language(lang)
    return tuple(map(judged, stored))


def _now() -> str:
    clock = MachineClock()
    return utc(clock.anchor, clock.now_ns())


def write_pages(folder: Path, made: Signoff, document: Path = CLAIMS) -> None:
    """Page and errata in both languages, each with a link to the other. Raises ``EvidenceNotWritten``."""
    from harness.report.signoff.document import errata
    from harness.report.signoff.gather import known
    from harness.report.signoff.page import render

    register, beside = read(document), known(document)
    for code, name in PAGES.items():
        say, other = language(code), next(each for each in PAGES if each != code)
        files = {"other": PAGES[other], "errata_file": ERRATA[code]}
        html = render(made, register.claims, register.chapters, say, known=beside, **files)
        write_atomically(folder / name, html.encode())
        text = errata(made, register.claims, beside, say, ERRATA[other])
        write_atomically(folder / ERRATA[code], text.encode())
