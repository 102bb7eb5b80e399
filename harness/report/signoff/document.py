"""The page as data, from what was found, what was decided and the page of last time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from urllib.parse import quote

import msgspec

from harness.base.planfile import RuleError, once
from harness.base.shell import shell_words
from harness.model.claim import Claim, Consequence, Dependency, Erratum, Found
from harness.model.message import Message, Told, message
from harness.model.scenario import Span
from harness.report import words
from harness.report.language import Language
from harness.report.markdown import bullets, head, plain
from harness.report.signoff.counting import about, commands, left_out, unproven
from harness.report.signoff.decisions import weighed
from harness.report.signoff.links import age, href, short
from harness.report.signoff.states import runs, standings
from harness.report.signoff.types import (
    CONSEQUENCE,
    FOUND,
    Blocker,
    ClaimStanding,
    ClaimState,
    DecisionEntry,
    Doubt,
    Evidence,
    EvidenceWanted,
    Signoff,
    StateChange,
    StoredResult,
)

# Which commands make the evidence of a sign-off, which of them a stored run already holds, what is left. Pure.


class CommandStep(msgspec.Struct, frozen=True, kw_only=True):
    """A command line behind ``python3 -m harness``, and about how long it takes on two cores. ``reviews``: it reads the
    results of the commands before it, and is made again behind each of them."""

    run: str
    takes_s: Span
    reviews: bool = False

    @property
    def words(self) -> list[str]:
        """The command line's words. Raises ``BadInput``."""
        return shell_words(self.run, message("the step {run}", run=self.run))


class EvidencePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The commands in their order; together they take at most ``within_s`` seconds."""

    name: str
    title: str
    within_s: Span
    steps: tuple[CommandStep, ...]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a command that is there twice, and for a plan that takes longer than it may."""
        once(step.run for step in self.steps)
        takes_s = sum(step.takes_s for step in self.steps)
        if takes_s > self.within_s:
            given = {"minutes": minutes(takes_s), "limit": minutes(self.within_s)}
            what = message("the commands take {minutes} min, and {limit} are there", **given)
            raise RuleError(what, "within_s", remedy="leave one out, or give it more time")


class CommandDue(msgspec.Struct, frozen=True, kw_only=True):
    """A command of the plan on this machine. ``replay`` is the line by which its run names itself; ``held`` the folder
    of a whole run that counts, "" where there is none; ``because`` why the newest one does not count any more;
    ``cannot`` why it cannot be run here, ``None`` where it can.
    """

    replay: str
    words: tuple[str, ...]
    environment: str
    takes_s: float
    held: str = ""
    because: Told = ()
    cannot: Message | None = None

    @property
    def left(self) -> bool:
        """Whether it is to be run."""
        return not self.held and self.cannot is None


def minutes(seconds: float) -> str:
    """As people read it."""
    return f"{seconds / 60:.0f}"


def held(
    stored: Sequence[StoredResult],
    asked: EvidenceWanted,
    replay: str,
    behind: Iterable[str] = (),
    register: Mapping[str, Claim] = MappingProxyType({}),
) -> str:
    """The folder of the newest run of that line that counts for every claim that it judges, and ended as it should; ""
    where there is none, or none later than those of the lines ``behind`` which it comes. What it found does not matter:
    run again, it would find the same."""

    def newest(line: str) -> tuple[str, str]:
        found = newest_of((each for each in stored if not lacking(each, asked, register)), line)
        return ("", "") if found is None else (found.result.facts.started_utc, found.folder)

    started_utc, folder = newest(replay)
    return folder if all("" < newest(line)[0] <= started_utc for line in behind) else ""


def lacking(stored: StoredResult, asked: EvidenceWanted, register: Mapping[str, Claim]) -> Told:
    """Why a run does not count, or not for each claim that its command is to judge; () where it does."""
    ours = commands(stored.result)
    claims = [each for each in about(stored.result, register) if not ours.isdisjoint(each.judged_by)]
    on = {each for claim in claims for each in claim.rests_on} if claims else {*Dependency}
    return left_out(stored, asked, on) or unproven(stored)


def newest_of(stored: Iterable[StoredResult], replay: str) -> StoredResult | None:
    """The newest run of that line, whether or not it counts; ``None`` where there is none."""
    of_it = [each for each in stored if _what(each.result.facts.replay) == _what(replay)]
    return max(of_it, key=lambda each: each.result.facts.started_utc, default=None)


def _what(replay: str) -> str:
    """What a line runs, whoever typed it: behind the name of the Python, and whether or not it says that nothing is
    read from outside, for any line says all that was in effect."""
    return replay.partition(" ")[2].replace(" --no-defaults", "")


def told(plan: EvidencePlan, due: Sequence[CommandDue]) -> Iterator[Message]:
    """The plan before anything is begun: what is run, about how long, in which environment, and what is not."""
    left_s = sum(each.takes_s for each in due if each.left)
    yield message(
        "{title}: {left} of {all} commands are to be run, about {minutes} min",
        title=Message(text=plan.title),
        left=str(sum(each.left for each in due)),
        all=str(len(due)),
        minutes=minutes(left_s),
    )
    for each in due:
        words = {"command": each.replay, "environment": each.environment, "minutes": minutes(each.takes_s)}
        if each.held:
            yield message("  {command}: held by {folder}", command=each.replay, folder=each.held)
        elif each.cannot is not None:
            yield message("  {command}: cannot be run here, {why}", command=each.replay, why=each.cannot)
        else:
            yield message("  {command}: {environment}, about {minutes} min", **words)
            yield from (message("    its last run does not count: {why}", why=why) for why in each.because)


# ``errata.md``: every erratum of the register by what follows from it, with its evidence and, where one can be given,
# the smallest patch of the document. Pure.
# Three words say how one is known: read in a file, computed, or seen in a run. One that is to be seen and that no run
# that counts showed yet says which command would show it.


class KnownErrata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of errata beside the register, by their ids: the ``patches`` of the document as lines that stay,
    go and come, and the commands that can show them (``shown_by``)."""

    patches: Mapping[str, str] = {}
    shown_by: Mapping[str, Sequence[str]] = {}


def shown(erratum: str, standing: ClaimStanding) -> tuple[Evidence, ...]:
    """The judgements that showed the erratum, of all that bear on its claim."""
    return tuple(
        each
        for each in standing.evidence
        if each.state is ClaimState.DOCUMENT_WRONG and each.judgement.erratum == erratum
    )


def how_known(doubt: Doubt, known: KnownErrata, say: Language) -> str:
    """How an erratum is known, in one of the three words; or that it is not seen yet, and what would show it."""
    if doubt.found is not Found.SEEN or doubt.seen:
        return say(FOUND[doubt.found])
    lines = say.listed(f"python3 -m harness {line}" for line in known.shown_by.get(doubt.erratum, ()))
    return say("not seen yet; {commands} would show it", commands=lines) if lines else say("not seen yet")


def stamp(entry: DecisionEntry | None, say: Language) -> str:
    """What people decided: "" where nobody did."""
    if entry is None:
        return ""
    by, what = say.listed(entry.by), {"day": entry.on, "until": entry.until, "why": entry.because}
    if entry.corrected_in:
        return say("corrected in {revision} ({by}, {day})", revision=entry.corrected_in, by=by, day=entry.on)
    return say("{by} accepted this on {day} until {until}, because {why}", by=by, **what)


def decided(document: Signoff) -> dict[str, DecisionEntry]:
    """The decisions that count, by their claim or erratum."""
    return {each.of: each for each in document.decisions if not each.void}


def errata(document: Signoff, register: Mapping[str, Claim], known: KnownErrata, say: Language, other: str) -> str:
    """The text in one language; ``other`` is the file of the same in the other."""
    return "\n\n".join(_Text(document, register, known, say).parts(other)) + "\n"


class _Text:
    """The text of one page in one language."""

    def __init__(self, document: Signoff, register: Mapping[str, Claim], known: KnownErrata, say: Language) -> None:
        self.document, self.register, self.known, self.say = document, register, known, say
        self.runs = {run.folder: run for run in document.runs}
        self.standings = {each.claim: each for each in document.standings}
        self.decided = decided(document)
        self.errata = {erratum.id: erratum for claim in register.values() for erratum in claim.errata}

    def parts(self, other: str) -> Iterator[str]:
        """Every paragraph: what loses data first, wording last."""
        say = self.say
        doubts = [each for each in self.document.errata if each.erratum in self.errata]
        yield head(say("Errata of the design document"), 1)
        yield f"[{'English' if say.code == 'ja' else '日本語'}]({other})"
        yield bullets(self._facts(doubts))
        for consequence in Consequence:
            found = [each for each in doubts if each.consequence is consequence]
            yield head(say(CONSEQUENCE[consequence]).capitalize(), 2)
            if not found:
                yield say("None.")
            for each in found:
                yield from self._erratum(each, self.register[each.claim], self.errata[each.erratum])

    def _facts(self, doubts: Sequence[Doubt]) -> Iterator[str]:
        say, asked = self.say, self.document.asked
        digests = say.listed(map(short, asked.digests)) or say("program or image unknown: {ask}", ask=say(words.ASK))
        yield say("target {target} ({digests})", target=say(asked.target), digests=digests)
        yield say("made {moment}", moment=say.moment(asked.now_utc))
        known = Counter(each.found for each in doubts if each.found is not Found.SEEN or each.seen)
        counts = [say("{count} {verdict}", count=known[found], verdict=say(FOUND[found])) for found in Found]
        unseen = len(doubts) - known.total()
        yield say.listed([*counts, say("{count} not seen yet", count=unseen)])
        yield statuses(doubts, self.decided, say)

    def _erratum(self, doubt: Doubt, claim: Claim, erratum: Erratum) -> Iterator[str]:
        say = self.say
        yield f"### `{erratum.id}`"
        yield f"> {plain(claim.quotation)} ({plain(claim.place)}, `{claim.id}`)"
        yield plain(say(erratum.why))
        yield bullets((how_known(doubt, self.known, say), stamp(self.decided.get(erratum.id), say) or say("open")))
        if claim.id in self.standings and (evidence := shown(erratum.id, self.standings[claim.id])):
            yield "\n".join(f"- {self._evidence(each)}" for each in evidence)
        correction = plain(say(erratum.correction))
        yield say("To be written instead: {correction}", correction=correction)
        if patch := self.known.patches.get(erratum.id, ""):
            yield f"```diff\n{patch}\n```"

    def _evidence(self, evidence: Evidence) -> str:
        """The run, the verdict, the figure and what was seen."""
        say, judgement, run = self.say, evidence.judgement, self.runs[evidence.folder]
        part = f"{run.plan}: {judgement.part}" if judgement.part else run.plan
        where = plain(say.listed([part, run.rung, say.message(age(run.age_s))]))
        figure = words.measured(judgement, say)
        verdict = say(words.verdict_id(judgement)) + ("" if figure == "–" else f" ({figure})")
        seen = say.told(judgement.seen or judgement.told, "")
        anchor = quote(words.anchor(judgement))
        return f"[{where}]({href(run)}#{anchor}): {plain(verdict)}; {plain(seen)}"


def statuses(doubts: Sequence[Doubt], decided_: Mapping[str, DecisionEntry], say: Language) -> str:
    """How many errata are open, corrected in the document and accepted."""
    closed = [decided_[each.erratum] for each in doubts if each.erratum in decided_]
    corrected = sum(bool(each.corrected_in) for each in closed)
    counts = {"open": len(doubts) - len(closed), "corrected": corrected, "accepted": len(closed) - corrected}
    return say("{open} open, {corrected} corrected, {accepted} accepted", **counts)


def document(
    register: Mapping[str, Claim],
    stored: Sequence[StoredResult],
    asked: EvidenceWanted,
    *,
    lines: Sequence[str] = (),
    decisions: Sequence[DecisionEntry] = (),
    unreadable: tuple[str, ...] = (),
    previous: Signoff | None = None,
    ledger: Told = (),
) -> Signoff:
    """The page of ``asked``. One of another target is no ``previous`` one."""
    found = standings(register, stored, asked, lines, ledger)
    by_claim = {each.claim: each for each in found}
    entries = weighed(decisions, by_claim, asked.now_utc[:10])
    counting = {each.of: each for each in entries if not each.void}
    doubts = tuple(_doubts(register, by_claim, counting))
    open_ = [*_open(register, found, doubts, asked.phase)]
    before = previous if previous is not None and previous.asked.target == asked.target else None
    return Signoff(
        asked=asked,
        blockers=tuple(sorted((each for each in open_ if each.of not in counting), key=partial(_gravest, by_claim))),
        standings=found,
        errata=doubts,
        decisions=entries,
        accepted=tuple(each.of for each in open_ if each.of in counting and not counting[each.of].corrected_in),
        runs=runs(stored, asked, register),
        unreadable=unreadable,
        previous_utc="" if before is None else before.asked.now_utc,
        other=() if before is None else tuple(_other(before.asked, asked)),
        changes=() if before is None else tuple(_changes(before.standings, found)),
    )


def _gravest(standings_: Mapping[str, ClaimStanding], each: Blocker) -> tuple[int, bool]:
    """What comes first: the gravest, and of what is as grave what failed."""
    failed = each.of in standings_ and standings_[each.of].state is ClaimState.FAILED
    return [*Consequence].index(each.consequence), not failed


def of_phase(claim: Claim, phase: int) -> bool:
    """Whether the page about ``phase`` asks for the claim; others are listed apart and block nothing."""
    return claim.phase == phase and not claim.not_rehearsed


def _doubts(
    register: Mapping[str, Claim], standings_: Mapping[str, ClaimStanding], counting: Mapping[str, DecisionEntry]
) -> Iterator[Doubt]:
    for claim in register.values():
        shown = {
            each.judgement.erratum
            for each in standings_[claim.id].evidence
            if each.state is ClaimState.DOCUMENT_WRONG and not each.refused
        }
        for erratum in claim.errata:
            yield Doubt(
                erratum=erratum.id,
                claim=claim.id,
                consequence=erratum.consequence,
                found=erratum.found,
                seen=erratum.id in shown,
                closed=erratum.id in counting,
            )


def _open(
    register: Mapping[str, Claim], found: Sequence[ClaimStanding], doubts: Sequence[Doubt], phase: int
) -> Iterator[Blocker]:
    """What blocks unless somebody accepts it: of the phase, what failed or is not shown, and every grave erratum."""
    for each in found:
        claim = register[each.claim]
        if of_phase(claim, phase) and _stands_in_the_way(claim, each):
            yield Blocker(of=claim.id, consequence=claim.consequence, told=each.told, way=each.way)
    for doubt in doubts:
        claim = register[doubt.claim]
        if claim.phase == phase and doubt.consequence.grave:
            erratum = next(each for each in claim.errata if each.id == doubt.erratum)
            told = (
                Message(text=erratum.why),
                message("write instead: {correction}", correction=Message(text=erratum.correction)),
            )
            yield Blocker(of=doubt.erratum, consequence=doubt.consequence, told=told)


def _stands_in_the_way(claim: Claim, standing: ClaimStanding) -> bool:
    """A claim of a wrong document blocks by its grave errata; where nobody names one, by its own consequence."""
    if standing.state is ClaimState.DOCUMENT_WRONG:
        seen = any(each.judgement.erratum for each in standing.evidence if each.state is ClaimState.DOCUMENT_WRONG)
        return not (claim.errata or seen) and claim.consequence.grave
    return standing.state is not ClaimState.SHOWN


def _other(before: EvidenceWanted, now: EvidenceWanted) -> Iterator[Message]:
    """What claims may stand elsewhere by, though nothing was run in between. A program has digests of itself and of its
    image, of which one may not be known: where Docker did not answer, or the image was not built yet."""
    one, other = {*before.digests}, {*now.digests}
    if not (one <= other or other <= one):
        yield message("It was of another program or image ({digests}).", digests=", ".join(map(short, before.digests)))


def _changes(before: Sequence[ClaimStanding], now: Sequence[ClaimStanding]) -> Iterator[StateChange]:
    """The claims whose state is another; one that the register did not have is none."""
    states = {each.claim: each.state for each in before}
    for each in now:
        if (was := states.get(each.claim, each.state)) is not each.state:
            yield StateChange(claim=each.claim, before=was, now=each.state)
