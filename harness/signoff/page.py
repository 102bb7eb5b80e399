"""``signoff.html``: the page of the document in one language, one file that opens offline and prints. Pure but for the
template.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from harness.base.units import DAY_S
from harness.model.claim import Claim, Erratum
from harness.model.message import marked, message
from harness.report import words
from harness.report.language import Language
from harness.report.templates import page
from harness.signoff.errata import shown
from harness.signoff.links import age, href, short
from harness.signoff.types import WORD, Evidence, Run, Signoff, Standing, State

_TEMPLATES = Path(__file__).with_name("templates")
#: So many runs are named beside a claim; the others are counted.
_MOST_EVIDENCE = 3
#: So many claims that are not ready are named on the first screen.
_MOST_NAMED = 12
CHECKLIST = "checklist."

SIGN = {
    State.READY: "✓",
    State.NOT_READY: "✗",
    State.ERRATUM_SHOWN: "≠",
    State.PERSON: "☐",
    State.NOT_EXERCISED: "–",
}
#: The style sheet's class of each.
CSS = {
    State.READY: "pass",
    State.NOT_READY: "fail",
    State.ERRATUM_SHOWN: "erratum_shown",
    State.PERSON: "inconclusive",
    State.NOT_EXERCISED: "not_exercised",
}


class EvidenceView(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement that bears on a claim, as a link to its run's page."""

    href: str
    run: str
    verdict: str
    sign: str
    css: str


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """A claim with its state. ``errata`` are those of the register that no run showed; ``facts`` are the claims that
    bear on a person's decision."""

    claim: Claim
    sign: str
    word: str
    css: str
    reason: str
    evidence: tuple[EvidenceView, ...]
    more: int
    asserted: tuple[Erratum, ...]
    facts: tuple[ClaimView, ...] = ()


class SectionView(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter of the document: how many of its claims are in each state, in the order of ``State``."""

    title: str
    anchor: str
    counts: tuple[int, ...]
    claims: tuple[ClaimView, ...]


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the tables of runs list it."""

    href: str
    name: str
    rung: str
    target: str
    digest: str
    age: str
    replay: str
    said: str


class _Views:
    """The views of one page in one language."""

    def __init__(self, document: Signoff, register: Mapping[str, Claim], say: Language) -> None:
        self.document, self.register, self.say = document, register, say
        self.runs = {run.folder: run for run in document.runs}
        self.standings = {each.claim: each for each in document.standings}

    def claim(self, standing: Standing, *, facts: bool = False) -> ClaimView:
        """A claim; with ``facts`` those that bear on it, too."""
        claim, state = self.register[standing.claim], standing.state
        bearing = [name for name in claim.state_from.facts if name in self.standings] if facts else []
        return ClaimView(
            claim=claim,
            sign=SIGN[state],
            word=self.say(WORD[state]),
            css=CSS[state],
            reason=self.say.told(standing.told, ""),
            evidence=tuple(self._evidence(each) for each in standing.evidence[:_MOST_EVIDENCE]),
            more=max(0, len(standing.evidence) - _MOST_EVIDENCE),
            asserted=asserted(claim, standing),
            facts=tuple(self.claim(self.standings[name]) for name in bearing),
        )

    def _evidence(self, evidence: Evidence) -> EvidenceView:
        run, judgement = self.runs[evidence.folder], evidence.judgement
        part = f"{run.plan}: {judgement.part}" if judgement.part else run.plan
        return EvidenceView(
            href=f"{href(run)}#{quote(words.anchor(judgement))}",
            run=self.say.listed([part, run.rung, self.say.message(age(run.age_s))]),
            verdict=self.say(words.verdict_id(judgement)),
            sign=words.sign(judgement),
            css="observed" if words.is_observed(judgement) else str(judgement.verdict),
        )

    def section(self, number: int, title: str, claims: Iterable[Claim]) -> SectionView:
        """A chapter; of a stored page it has no claim that the register did not have then."""
        found = [self.standings[claim.id] for claim in claims if claim.id in self.standings]
        counts = Counter(each.state for each in found)
        return SectionView(
            title=self.say(title),
            anchor=f"chapter-{number}",
            counts=tuple(counts[state] for state in State),
            claims=tuple(map(self.claim, found)),
        )

    def run(self, run: Run) -> RunView:
        """A run, and what is said of it: why nothing of it counts, or how it ended, and what it is no evidence of."""
        ended = message("exit status {status}", status=str(run.exit_status))
        return RunView(
            href=href(run),
            name=run.plan if run.plan == run.rehearsal else f"{run.rehearsal}: {run.plan}",
            rung=run.rung,
            target=run.target,
            digest=short(run.target_digest),
            age=self.say.message(age(run.age_s)),
            replay=run.replay,
            said=self.say.told(run.left_out or (ended, *run.limits, *run.judged_by), ""),
        )


def asserted(claim: Claim, standing: Standing) -> tuple[Erratum, ...]:
    """The errata of a claim that no run showed."""
    return tuple(each for each in claim.errata if not shown(each.id, standing))


def counted(document: Signoff, say: Language) -> str:
    """How many claims are in each state."""
    counts = Counter(each.state for each in document.standings)
    return say.listed(say("{count} {verdict}", count=counts[state], verdict=say(WORD[state])) for state in State)


def corrections(document: Signoff, register: Mapping[str, Claim], say: Language) -> Iterator[str]:
    """What is to be done about the document's errata before anybody signs it."""
    known = [(register[each.claim], each) for each in document.standings if each.claim in register]
    if count := sum(bool(shown(erratum.id, each)) for claim, each in known for erratum in claim.errata):
        yield say("{count} errata were shown by runs: correct the document there before anybody signs it.", count=count)
    if count := sum(each.state is State.READY and bool(asserted(claim, each)) for claim, each in known):
        doubted = marked(
            "{count} of the claims that are ready have an erratum that no run showed: read it before anybody signs."
        )
        yield say(doubted, count=count)


def judged_by(document: Signoff, say: Language) -> str:
    """How many of the runs that count other code than today's judged, and what to do about it; "" where none."""
    count = sum(bool(run.judged_by) for run in document.runs if not run.left_out)
    others = marked(
        "{count} of the runs that count were judged by another version of this repository, or do not say by which: "
        "{command} says what today's judges otherwise"
    )
    return say(others, count=count, command="python3 -m harness judge RUN") if count else ""


def missing(document: Signoff, say: Language) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The claims that were not exercised, by the reason why; the reason of most first."""
    found: dict[str, list[str]] = {}
    for each in document.standings:
        if each.state is State.NOT_EXERCISED:
            found.setdefault(say.told(each.told, ""), []).append(each.claim)
    for reason in sorted(found, key=lambda reason: -len(found[reason])):
        yield reason, tuple(found[reason])


def context(
    document: Signoff, register: Mapping[str, Claim], chapters: Mapping[str, tuple[Claim, ...]], say: Language
) -> dict[str, Any]:
    """Everything that the template names."""
    views = _Views(document, register, say)
    of = document.standings
    blocking = [each for each in of if each.state.blocks]
    not_ready = [views.claim(each) for each in of if each.state is State.NOT_READY]
    sections = [views.section(number, title, claims) for number, (title, claims) in enumerate(chapters.items(), 1)]
    return {
        "document": document,
        "made": say.moment(document.asked.now_utc),
        "digests": [short(digest) for digest in document.asked.digests],
        "ask": words.ASK,
        "most_days": f"{document.asked.max_age_s / DAY_S:g}",
        "blocked": document.blocked,
        "counted": counted(document, say),
        "blocking": len(blocking),
        "total": len(of),
        "checks_blocking": sum(each.claim.startswith(CHECKLIST) for each in blocking),
        "checks": sum(each.claim.startswith(CHECKLIST) for each in of),
        "states": [(SIGN[state], say(WORD[state]), CSS[state]) for state in State],
        "not_ready": not_ready,
        "named": not_ready[:_MOST_NAMED],
        "corrections": [*corrections(document, register, say)],
        "missing": list(missing(document, say)),
        "changes": [
            (each.claim, say(WORD[each.before]), SIGN[each.now], say(WORD[each.now]), CSS[each.now])
            for each in document.changes
        ],
        "previous": say.moment(document.previous_utc) if document.previous_utc else "",
        "sections": [sections[-1], *sections[:-1]],
        "decisions": [views.claim(each, facts=True) for each in of if each.state is State.PERSON],
        "counting": [views.run(run) for run in document.runs if not run.left_out],
        "judged_by": judged_by(document, say),
        "left_out": [views.run(run) for run in document.runs if run.left_out],
    }


def render(
    document: Signoff,
    register: Mapping[str, Claim],
    chapters: Mapping[str, tuple[Claim, ...]],
    say: Language,
    *,
    other: str,
    errata: str,
) -> str:
    """The page; ``other`` is the file of the same page in the other language, ``errata`` that of the errata in this."""
    of = {**context(document, register, chapters, say), "other": other, "errata": errata}
    return page("signoff.html.j2", say, of, folder=_TEMPLATES)
