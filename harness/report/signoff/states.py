"""From the register and the stored results to one state for each claim. Pure.

A claim is shown by tries alone: passes of whole runs that count (``counting``), where the claim is proved,
of the document as printed. Of every check, which is a rehearsal's, its plan's, its part's, the last three tries count.
One that failed last makes the claim failed; one that failed or could not tell before leaves it not shown. What passes
where less is proved says nothing for a claim, and what fails there counts against it.

Which command would show a claim. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from enum import Enum, auto
from types import MappingProxyType

import msgspec

from harness.base.typed import PROGRAM
from harness.model.claim import Claim, Erratum, ShownOn
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Message, Told, joined, message
from harness.model.result import Result
from harness.model.stack import Capability, EnvironmentKind
from harness.report.signoff import counting
from harness.report.signoff.decisions import DECISIONS
from harness.report.signoff.types import (
    PROVING,
    RUNGS,
    ClaimStanding,
    ClaimState,
    Evidence,
    EvidenceWanted,
    FoundRun,
    StoredResult,
)

#: What ``--on`` takes for an environment; what is read or computed asks for none.
_ON: Mapping[ShownOn, str] = {shown_on: rung for rung, shown_on in RUNGS.items() if shown_on is not ShownOn.ARITHMETIC}


def way(claim: Claim, state: ClaimState, lines: Sequence[str]) -> str:
    """The command line that would show the claim: of ``lines``, which make evidence and can be typed, the first that
    can, before others one with a word of the claim's name. "" where none can, where the document is to be corrected,
    and where nothing is left to show."""
    if state in (ClaimState.SHOWN, ClaimState.DOCUMENT_WRONG) or claim.shown_on not in PROVING:
        return ""
    on, named = _ON.get(claim.shown_on, ""), {*claim.id.split(".")[1:]}
    can = [line for line in lines if line.split()[0] in claim.judged_by]
    fits = [line for line in can if on in ("", line.partition("--on ")[2].partition(" ")[0] or EnvironmentKind.LOCAL)]
    return next((f"{PROGRAM} {line}" for line in sorted(fits, key=lambda line: named.isdisjoint(line.split()))), "")


def firing(claim: Claim, lines: Sequence[str]) -> str:
    """The command line by which a rollback limit must fire: of its own week, with a fault of what it limits where
    there is one. "" where no line has a fault."""
    week = f"rollout_{claim.id.split('.')[1]} "
    faults = [line for line in lines if "--fault" in line and week in line]
    of_it = [line for line in faults if line.partition("--fault ")[2].partition("=")[0] in claim.id]
    return next((f"{PROGRAM} {line}" for line in (*of_it, *faults)), "")


#: So many tries of a check must each have held.
LAST = 3
#: So many reasons why results were left out are named.
_MOST_REASONS = 2
_BUNDLED = message("the claim is about the Go backend, and the target is the bundled Python API")
_UNENFORCED = message("the claim is about speed and size, and CPU and memory limits were not enforced, or were scaled")
_SEEN = message("it was seen, and nothing was judged")
_PERSON = message("no test can show it: a person decides, in {file}", file=DECISIONS)
_NEVER_FIRED = message("the limit did not break where it is held to, and no run with a fault showed that it fires")


class ClaimOutcome(Enum):
    """What one judgement says of a claim."""

    HELD = auto()
    FIRED = auto()  # a rollback limit, under a fault that must break it
    CORRECTED = auto()  # held, with something else than the document prints
    WRONG = auto()  # the document's erratum was seen
    FAILED = auto()
    OPEN = auto()  # it could not tell, or its run cannot be trusted
    NOTHING = auto()  # it proves nothing of the claim, good or bad

    @property
    def state(self) -> ClaimState:
        """The state that it alone would give."""
        if self in (ClaimOutcome.WRONG, ClaimOutcome.CORRECTED):
            return ClaimState.DOCUMENT_WRONG
        if self is ClaimOutcome.HELD:
            return ClaimState.SHOWN
        return ClaimState.FAILED if self is ClaimOutcome.FAILED else ClaimState.NOT_SHOWN


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement on a claim, what it says of it and, where that is not the verdict's own, why."""

    stored: StoredResult
    judgement: Judgement
    outcome: ClaimOutcome
    why: Told = ()

    @property
    def told(self) -> Message:
        """What it saw, or why it says nothing."""
        seen = (
            self.judgement.seen if self.outcome is ClaimOutcome.WRONG and self.judgement.seen else self.judgement.told
        )
        return joined(self.why or seen)

    @property
    def where(self) -> ShownOn:
        """The environment that it was made in."""
        return RUNGS[self.stored.result.facts.rung]

    @property
    def check(self) -> tuple[object, ...]:
        """Whose verdict it is, whichever run made it. A part that is only a number is the experiment's place in that
        run's plan: the id says which experiment it is."""
        result, part = self.stored.result, self.judgement.part
        part = "" if part.isdecimal() else part
        injected = bool(result.facts.injected)
        return result.rehearsal, result.plan, result.facts.rung, injected, part, self.judgement.id

    @property
    def evidence(self) -> Evidence:
        """As the page has it."""
        told = (*self.judgement.told, *counting.seen_with(self.stored.result))
        seen = msgspec.structs.replace(self.judgement, told=told)
        return Evidence(folder=self.stored.folder, state=self.outcome.state, judgement=seen, refused=self.why)


def standings(
    register: Mapping[str, Claim], stored: Sequence[StoredResult], asked: EvidenceWanted, lines: Sequence[str] = (),
    ledger: Told = (),
) -> tuple[ClaimStanding, ...]:  # fmt: skip
    """Where each claim of the register stands, in its order; ``lines`` make evidence, ``ledger`` is told with them."""
    found = _by_claim(register, sorted(stored, key=_started, reverse=True))
    errata = {each.id: each for claim in register.values() for each in claim.errata}
    ran = {command for each in stored for command in counting.commands(each.result)}

    def standing(claim: Claim) -> ClaimStanding:
        seen = [
            (each, judged, counting.left_out(each, asked, on) or counting.aside(each.result, claim.id, judged))
            for on in [claim.rests_on]
            for each, judged in found[claim.id]
        ]
        tries = [_try(claim, each, judged) for each, judged, why in seen if not why]
        made = _Claim(claim, errata, [*_own_first(tries)], (*(why[0] for _, _, why in seen if why),), ran).standing()
        unfired = made.told == (_NEVER_FIRED,)
        if claim.id.startswith("slo.") and claim.shown_on is ShownOn.MONTH and made.state is ClaimState.NOT_SHOWN:
            beside = ledger[: None if claim.id == "slo.availability" else 1]
            made = msgspec.structs.replace(made, told=(*made.told, *beside))
        return msgspec.structs.replace(made, way=firing(claim, lines) if unfired else way(claim, made.state, lines))

    return tuple(map(standing, register.values()))


def runs(
    stored: Iterable[StoredResult], asked: EvidenceWanted, register: Mapping[str, Claim] = MappingProxyType({})
) -> tuple[FoundRun, ...]:
    """The runs as the page lists them, the newest first."""
    found = (
        FoundRun(
            folder=each.folder,
            run_id=each.result.run_id,
            rehearsal=each.result.rehearsal,
            plan=each.result.plan,
            rung=str(each.result.facts.rung),
            target=each.result.facts.target,
            target_digest=each.result.facts.target_digest,
            started_utc=each.result.facts.started_utc,
            age_s=counting.age_s(each.result, asked),
            replay=each.result.facts.replay,
            exit_status=each.result.exit_status,
            left_out=counting.left_out_for_all(each, asked, about),
            limits=(*counting.limits(each, asked, about), *counting.gone(each)),
            broke=bool(counting.broken(each.result)),
        )
        for each in stored
        for about in [counting.about(each.result, register)]
    )
    return tuple(sorted(found, key=lambda run: (run.started_utc, run.folder), reverse=True))


# -- one judgement ---------------------------------------------------------------------------------------------------


def _by_claim(
    register: Mapping[str, Claim], stored: Iterable[StoredResult]
) -> defaultdict[str, list[tuple[StoredResult, Judgement]]]:
    """The judgements that bear on each claim, in the order of the runs."""
    owners = {erratum.id: claim.id for claim in register.values() for erratum in claim.errata}
    found: defaultdict[str, list[tuple[StoredResult, Judgement]]] = defaultdict(list)
    for each in stored:
        for judgement in each.result.judgements:
            named = (*judgement.claims, *([judgement.erratum] if judgement.erratum else []))
            for claim in dict.fromkeys(owners.get(name, name) for name in named):
                found[claim].append((each, judgement))
    return found


def _own_first(tries: Sequence[Try]) -> Iterator[Try]:
    """A run by a team's own manifests takes the place of those by the bundled ones, in each check that it made."""
    own = {each.check for each in tries if each.stored.result.facts.own_manifests}
    for each in tries:
        if each.check not in own or each.stored.result.facts.own_manifests:
            yield each


def _try(claim: Claim, stored: StoredResult, judgement: Judgement) -> Try:
    outcome, why = next(_outcomes(claim, stored, judgement))
    return Try(stored=stored, judgement=judgement, outcome=outcome, why=why)


def _outcomes(claim: Claim, stored: StoredResult, judgement: Judgement) -> Iterator[tuple[ClaimOutcome, Told]]:
    """What can be said of the claim by a judgement, and why: the first holds."""
    result, verdict = stored.result, judgement.verdict
    if claim.about_go_backend and (lacking := tuple(_lacking(stored))):
        yield ClaimOutcome.NOTHING, lacking
    if verdict is Verdict.NOT_EXERCISED:
        yield ClaimOutcome.NOTHING, ()
    if result.facts.injected and judgement.fired:
        yield ClaimOutcome.FIRED, counting.unproven(stored)
    if verdict is Verdict.FAIL:
        yield ClaimOutcome.FAILED, ()
    if verdict is Verdict.INCONCLUSIVE:
        yield (ClaimOutcome.NOTHING if result.facts.smaller else ClaimOutcome.OPEN), ()
    if why := counting.unproven(stored):
        yield ClaimOutcome.OPEN, why
    if verdict is Verdict.ERRATUM_SHOWN or judgement.erratum in {each.id for each in claim.errata}:
        yield ClaimOutcome.WRONG, ()
    if judgement.kind is Kind.OBSERVATION:
        yield ClaimOutcome.NOTHING, (_SEEN, *judgement.told)
    if why := counting.in_part(result, judgement, claim) or _less(claim, stored):
        yield ClaimOutcome.NOTHING, why
    yield (ClaimOutcome.CORRECTED if _correction(result, judgement) else ClaimOutcome.HELD), ()


def _lacking(stored: StoredResult) -> Iterator[Message]:
    """What keeps a run from saying anything of the Go backend's speed and size."""
    if stored.result.facts.target_bundled:
        yield _BUNDLED
    if Capability.CPU_LIMITS not in stored.result.facts.capabilities:
        yield _UNENFORCED


def _less(claim: Claim, stored: StoredResult) -> Told:
    """That the run's environment proves less than the claim says; () where it proves it."""
    where = RUNGS[stored.result.facts.rung]
    if claim.shown_on in PROVING and PROVING.index(where) >= PROVING.index(claim.shown_on):
        return ()
    what = {"where": str(where), "least": str(claim.shown_on)}
    return (message("it held on {where} alone, and {least} is the least that proves it", **what),)


# -- one claim -------------------------------------------------------------------------------------------------------


class _Claim:
    """A claim, its tries with the newest first, why what else was seen of it does not count, what commands ``ran``."""

    def __init__(
        self, claim: Claim, errata: Mapping[str, Erratum], tries: Sequence[Try], reasons: Told, ran: Set[str]
    ) -> None:
        self.claim, self.errata, self.tries, self.reasons, self.ran = claim, errata, tries, reasons, ran
        checks: dict[tuple[object, ...], list[Try]] = {}
        for each in tries:
            if each.outcome not in (ClaimOutcome.NOTHING, ClaimOutcome.FIRED):
                checks.setdefault(each.check, []).append(each)
        self.checks = {check: found[:LAST] for check, found in checks.items()}

    def standing(self) -> ClaimStanding:
        """Its one state: what counts against it comes first."""
        if self.claim.shown_on is ShownOn.PERSON:
            return self._made(ClaimState.NOT_SHOWN, (_PERSON,), ())
        return next(self._against(), None) or next(self._wrong(), None) or self._shown() or self._unshown()

    def _made(
        self, state: ClaimState, told: Told, first: Sequence[Try], held: int = 0, tries: int = 0
    ) -> ClaimStanding:
        others = (each for each in self.tries if not any(each is one for one in first))
        found = tuple(each.evidence for each in (*first, *others))
        return ClaimStanding(claim=self.claim.id, state=state, told=told, evidence=found, held=held, tries=tries)

    def _against(self) -> Iterator[ClaimStanding]:
        """What failed last, then what could not tell or failed before."""
        for found in self.checks.values():
            if found[0].outcome is ClaimOutcome.FAILED and not self._mended(found[0]):
                run = found[0].stored.folder
                told = message(
                    "Tried on {where}, and did not hold: {why}", where=str(found[0].where), why=found[0].told
                )
                yield self._made(ClaimState.FAILED, (told, message("see {run}", run=run)), found[:1])
        for found in self.checks.values():
            if found[0].outcome is ClaimOutcome.OPEN and not self._lesser(found[0]):
                yield self._made(ClaimState.NOT_SHOWN, (found[0].told,), found[:1])
        for found in self.checks.values():
            bad = [each for each in found if each.outcome in (ClaimOutcome.FAILED, ClaimOutcome.OPEN)]
            if bad and bad[0] is not found[0]:
                held = len(found) - len(bad)
                told = message(
                    "Held in {held} of {tries} runs on {where}, and in {run} it did not: {why}",
                    held=str(held), tries=str(len(found)), where=str(bad[0].where), run=bad[0].stored.folder,
                    why=bad[0].told,
                )  # fmt: skip
                yield self._made(ClaimState.NOT_SHOWN, (told,), bad, held, len(found))

    def _lesser(self, one: Try) -> bool:
        """Whether it could not tell where less is proved, and the claim was tried where more is."""
        more = [
            each
            for each in self.tries
            if each.outcome in (ClaimOutcome.HELD, ClaimOutcome.CORRECTED, ClaimOutcome.WRONG)
        ]
        return bool(_less(self.claim, one.stored)) and bool(more)

    def _mended(self, failed: Try) -> bool:
        """Whether what failed as printed held with the correction, in the same rehearsal's same check."""
        whose, what = failed.check[:4], failed.check[5]
        held = [each.check for each in self.tries if each.outcome is ClaimOutcome.CORRECTED]
        return not _corrected(failed) and any((check[:4], check[5]) == (whose, what) for check in held)

    def _wrong(self) -> Iterator[ClaimStanding]:
        """The document cannot hold as printed: an erratum was seen, or it holds with a correction alone."""
        newest = [found[0] for found in self.checks.values()]
        failed = [each for each in newest if each.outcome is ClaimOutcome.FAILED]  # and mended: else it counts against
        held = [each for each in newest if each.outcome is ClaimOutcome.CORRECTED]
        for one in (each for each in newest if each.outcome is ClaimOutcome.WRONG):
            yield self._made(ClaimState.DOCUMENT_WRONG, self._instead(one, held), [one, *held])
        as_printed = [each for each in newest if each.outcome is ClaimOutcome.HELD]
        if failed or (held and not as_printed):
            yield self._made(ClaimState.DOCUMENT_WRONG, self._instead((failed or held)[0], held), [*failed, *held])

    def _instead(self, one: Try, held: Sequence[Try]) -> Told:
        erratum = self.errata.get(one.judgement.erratum) or next(iter(self.claim.errata), None)
        why = one.told if erratum is None or one.outcome is not ClaimOutcome.CORRECTED else Message(text=erratum.why)
        told = [message("Cannot hold as printed: {why}", why=why)]
        corrected = " ".join(dict.fromkeys(_corrected(each) for each in held))
        if erratum is not None:
            told.append(message("write instead: {correction}", correction=Message(text=erratum.correction)))
        elif corrected:
            told.append(message("write instead what the rehearsal added: {name}", name=corrected))
        told.append(message("with that it held") if held else message("with that it was not tried"))
        return tuple(told)

    def _shown(self) -> ClaimStanding | None:
        proving = {check: found for check, found in self.checks.items() if found[0].outcome is ClaimOutcome.HELD}
        if not proving:
            return None
        held = [each for found in proving.values() for each in found if each.outcome is ClaimOutcome.HELD]
        some = [counting.one_of_some(each.stored.result, each.judgement, self.claim) for each in held]
        if all(some):
            return self._made(ClaimState.NOT_SHOWN, some[0], held)
        for unlooked in self._unlooked():
            return self._made(ClaimState.NOT_SHOWN, (unlooked.told,), [unlooked])
        limit = any(each.judgement.kind is Kind.ROLLBACK_LIMIT for each in held)
        fired = [each for each in self.tries if each.outcome is ClaimOutcome.FIRED and not each.why]
        if limit and not fired:
            return self._made(ClaimState.NOT_SHOWN, (_NEVER_FIRED,), held)
        folders = dict.fromkeys(each.stored.folder for each in held)
        last = max(held, key=lambda each: _started(each.stored))
        what: dict[str, str | Message] = {
            "where": str(last.where), "day": last.stored.result.facts.started_utc[:10], "what": last.told,
            "count": str(len(folders)),
        }  # fmt: skip
        told = message("Held in {count} of {count} runs on {where}, last on {day}: {what}", **what)
        return self._made(ClaimState.SHOWN, (told,), [*held, *fired], len(folders), len(folders))

    def _unlooked(self) -> Iterator[Try]:
        """The checks that held their run by not having been made, and that none made well: what was not looked at was
        not shown by another check of the claim."""
        made = {found[0].judgement.id for found in self.checks.values()}
        for each in self.tries:
            unmade = each.judgement.verdict is Verdict.NOT_EXERCISED
            if each.judgement.holds and unmade and each.judgement.id not in made:
                yield each

    def _unshown(self) -> ClaimStanding:
        """Why nobody has shown it: nothing was run, nothing of what was run counts, or it says too little."""
        if self.tries:
            said = next((each for each in self.tries if each.why), self.tries[0])
            return self._made(ClaimState.NOT_SHOWN, (said.told,), [said])
        if self.claim.shown_on not in PROVING:
            return self._made(ClaimState.NOT_SHOWN, (_only_there(self.claim.shown_on),), ())
        by = ", ".join(self.claim.judged_by)
        if not self.reasons:
            none = message("none of {commands} was run", commands=by)
            if len(self.claim.judged_by) == 1:
                none = message("{command} was not run", command=by)
            if not self.ran.isdisjoint(self.claim.judged_by):
                none = message("no result of {commands} says anything of it", commands=by)
            return self._made(ClaimState.NOT_SHOWN, (none,), ())
        told = {str(reason): reason for reason in self.reasons}
        first = message("no result of {commands} that counts", commands=by)
        return self._made(ClaimState.NOT_SHOWN, (first, *[*told.values()][:_MOST_REASONS]), ())


def _only_there(shown_on: ShownOn) -> Message:
    if shown_on is ShownOn.MONTH:
        return message("only a month of operation shows it")
    return message("only the region of your cloud shows it")


def _corrected(one: Try) -> str:
    return _correction(one.stored.result, one.judgement)


def _correction(result: Result, judgement: Judgement) -> str:
    """What its part was made with in the place of what the document prints: "" too of a team's own manifests."""
    if result.facts.own_manifests:
        return ""
    return next((part.corrected for part in result.parts if part.name == judgement.part), "")


def _started(each: StoredResult) -> datetime:
    return counting.started(each.result) or datetime.min.replace(tzinfo=UTC)
