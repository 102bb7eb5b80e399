"""One claim as a person reads it: what is promised, the rules that decide it, its errata, where it stands.

A rule as a person reads it, before any run. Pure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import msgspec

from harness.base.clock import Anchor
from harness.base.data import ROOT
from harness.base.units import Unit, show
from harness.model.claim import Claim, Judged
from harness.model.judgement import CAPABILITY, Expected, Verdict
from harness.model.message import Message, enumerated, gettext_noop, message
from harness.model.result import RunInfo
from harness.model.scenario import Criterion
from harness.model.stack import Capability, EnvironmentKind
from harness.report import words as reported
from harness.report.language import Language
from harness.report.signoff.types import CONSEQUENCE, FOUND, WORD, ClaimStanding
from harness.rules.engine import WANTED
from harness.rules.register import Register
from harness.rules.rule import Limit, Rule, RuleLine, read, rule_of, unit_of
from harness.rules.sentences import asked
from harness.run.registry import COMMANDS, MODULES, Entry, rehearsal
from harness.run.rehearsal import Rehearsal

_PLACE = re.compile(r"\{(\w+)\}")
#: What a line says of the verdict in place of a fail.
_ELSE = {
    Verdict.INCONCLUSIVE: gettext_noop("{line}; else nobody can tell"),
    Verdict.NOT_EXERCISED: gettext_noop("{line}; else it is not exercised"),
}


def told(rule: Rule, phrases: Mapping[str, str]) -> Iterator[tuple[Message, Sequence[Message]]]:
    """What each part of a rule says, with its lines; ``phrases`` are the sentences of the facts."""
    if rule.needs:
        yield message("It is exercised only with: {what}", what=_capabilities(rule)), ()
    if rule.sample:
        yield message("The exact bounds of a sample decide it: {fact}", fact=f"`{rule.sample}`"), ()
    for head, lines in (
        (message("Nothing is shown unless:"), rule.provided),
        (message("It passes only where:"), rule.when),
        (message("It holds where all of these do:"), rule.decided_by),
        (message("It is the verdict on a claim only where:"), rule.claimed_when),
    ):
        if lines:
            yield head, [in_words(line, phrases) for line in lines]
    if rule.shows is not None:
        lines = (rule.shows, *rule.shows.provided)
        erratum = rule.shows.erratum
        yield (
            message("The erratum {erratum} is seen where:", erratum=f"`{erratum}`"),
            [in_words(each, phrases) for each in lines],
        )


def _capabilities(rule: Rule) -> Message:
    return enumerated([Message(text=CAPABILITY[each]) for each in rule.needs])


def in_words(line: RuleLine, phrases: Mapping[str, str]) -> Message:
    """A line: what is measured, and what is wanted of it."""
    phrase = phrases.get(line.fact, "")  # a value of the plan needs none
    fact = _limit(line.fact, Unit.NONE)
    if re.search(r"\w", _PLACE.sub("", phrase)):  # else it is put together when the run is over
        said = Message(text=phrase, values=dict.fromkeys(_PLACE.findall(phrase), "…"))
        fact = message("{fact} ({said})", fact=fact, said=said)
    limit = f"`{line.contains}`" if line.contains is not None else _limit(line.limit, unit_of(line.fact))
    wanted = Message(text=WANTED[line.verb], values={"limit": limit})
    found = message("{fact}: {wanted}", fact=fact, wanted=wanted)
    if line.of_at_least:
        found = message("{line}, of at least {count} samples", line=found, count=_limit(line.of_at_least, Unit.NONE))
    if line.unkept[1]:
        return message("{line}; else the erratum {erratum} is shown", line=found, erratum=f"`{line.unkept[1]}`")
    otherwise = _ELSE.get(line.unkept[0])
    return found if otherwise is None else Message(text=otherwise, values={"line": found})


def _limit(said: Limit, unit: Unit) -> str | Message:
    """A figure, a value of the plan, or the name of another fact."""
    if not isinstance(said, str):
        return show(said, unit)
    key = said.removeprefix("plan.")
    return message("the plan's {key}", key=f"`{key}`") if key != said else f"`{said}`"


_MOST_RUNS = 5


class Deciding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule under ``id`` in ``file``, and the claims and errata that it is ``about``; ``phrases`` are the sentences of
    its rehearsal's facts."""

    file: str
    id: str
    rule: Rule
    phrases: Mapping[str, str]
    about: frozenset[str]


class ClaimPage(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a claim: its rules, the criteria of scenarios by the scenario's name, and where it stands by
    the stored runs."""

    claim: Claim
    rules: tuple[Deciding, ...]
    criteria: tuple[tuple[str, Criterion], ...]
    standing: ClaimStanding | None = None


def page(claim: Claim, standing: ClaimStanding | None = None) -> ClaimPage:
    """What the files say of a claim, and where it stands where that is known."""
    from harness.run.scenarios import load

    ids = {claim.id, *(erratum.id for erratum in claim.errata)}
    of_commands = [
        each for command in claim.judged_by for each in _of_command(command) if not ids.isdisjoint(each.about)
    ]
    rules = {(each.file, each.id): each for each in of_commands}
    names = load.names() if claim.judged is Judged.CRITERION else ()
    criteria = [(name, each) for name in names for each in load.load(name).criteria if each.claim == claim.id]
    return ClaimPage(claim=claim, rules=(*rules.values(),), criteria=(*criteria,), standing=standing)


@functools.cache
def _of_command(command: str) -> tuple[Deciding, ...]:
    """The rules of the command's rehearsals; of a command of another document none."""
    entry = next((each for each in COMMANDS if each.name == command), None)
    folder = entry.at.split(".")[2] if entry else ""
    names = [name for name, module in MODULES.items() if module.split(".")[2] == folder]
    return tuple(each for name in names if entry for each in _of_rehearsal(rehearsal(name), _expected(entry)))


def _expected(entry: Entry) -> Sequence[Expected]:
    """Each judgement that the command's usual plan asks for, where the environment has everything; () of a command that
    must be told which plan."""
    command: Any = entry.load()
    if any(each.metadata["positional"] and each.default is None for each in fields(command)):
        return ()
    on = {each.name: EnvironmentKind.LOCAL for each in fields(command) if each.name == "on"}  # else it looks for Docker
    facts = RunInfo(
        rung=EnvironmentKind.KUBE, target="", target_bundled=True, seed=0, replay="", started_utc="",
        anchor=Anchor(monotonic_ns=0, unix_ns=0), capabilities=tuple(Capability),
    )  # fmt: skip
    return [*rehearsal(command.rehearsal or command.name).expected(command(**on).planned(), facts)]


def _of_rehearsal(of: Rehearsal[Any, Any], expected: Sequence[Expected]) -> Iterator[Deciding]:
    """Its rules, each with the claims and errata that it is about: of the judgements that it decides, too."""
    rules = of.rules
    file = {id_: path for path in of.rule_files for id_ in read([path], of.phrases)}
    for id_, rule in rules.items():
        shown = [rule.shows.erratum] if rule.shows else []
        asked_for = frozenset(one.claim for one in expected if rule_of(one, rules)[0] is rule)
        about = asked_for | {id_.rpartition("/")[2], *rule.claims, *shown, *(line.unkept[1] for line in rule.lines)}
        yield Deciding(file=file[id_].relative_to(ROOT).as_posix(), id=id_, rule=rule, phrases=of.phrases, about=about)


def listed(register: Register, say: Language) -> str:
    """Every claim in one line, by chapter; as the document has it in Japanese, else in plain English."""
    return (
        "\n\n".join(
            "\n".join(
                (say(title), *(f"  {each.id}: {each.quotation if say.code == 'ja' else each.says}" for each in its))
            )
            for title, its in register.chapters.items()
        )
        + "\n"
    )


def text(of: ClaimPage, say: Language, level: int = 1) -> str:
    """The page as Markdown, which a terminal shows as well."""
    return "\n\n".join(_parts(of, say, level))


def _parts(of: ClaimPage, say: Language, level: int) -> Iterator[str]:
    """Each paragraph."""
    claim, below = of.claim, "#" * (level + 1)
    yield f"{'#' * level} `{claim.id}`"
    yield "> " + _code(claim.quotation.replace("`", ""))
    yield "\n".join(f"- {each}" for each in _facts(claim, say))
    for each in of.rules:
        yield " ".join((below, say("Decided by"), f"{_code(each.id)} ({_code(each.file)})"))
        yield "\n".join(_lines(each, say))
    for name, criterion in of.criteria:
        kind = say(reported.KIND[criterion.kind])
        yield "- " + say(
            "{kind} of {scenario}: {criterion}", kind=kind, scenario=_code(name), criterion=asked(criterion)
        )
    if claim.judged_by and not (of.rules or of.criteria):
        yield say("Its plan, its experiments or its checks name the claim.")
    for erratum in claim.errata:
        yield " ".join((below, say("Erratum"), _code(erratum.id)))
        yield say(erratum.why)
        yield f"- {say(CONSEQUENCE[erratum.consequence])}\n- {say(FOUND[erratum.found])}"
        yield say("To be written instead: {correction}", correction=say(erratum.correction))
    if of.standing is not None:
        yield f"{below} " + say("By the stored runs: {state}", state=say(WORD[of.standing.state]))
        yield "\n".join(_runs(of.standing, say))


def _code(name: str) -> str:
    return f"`{name}`"


def _facts(claim: Claim, say: Language) -> Iterator[str]:
    """What is promised, where, and who says whether it is kept."""
    if say.code == "en" and claim.says:
        yield claim.says
    yield say("{place}, phase {phase}", place=_code(claim.place), phase=str(claim.phase))
    if claim.not_rehearsed:
        yield say(claim.not_rehearsed)
    yield say("if it is not kept: {what}", what=say(CONSEQUENCE[claim.consequence]))
    yield say("what is looked at: {how}", how=say(claim.how))
    if claim.by_person:
        yield say("a person decides")
        if claim.person_reads:
            yield say("the verdicts on these bear on it: {claims}", claims=say.listed(map(_code, claim.person_reads)))
    else:
        by = {"commands": say.listed(map(_code, claim.judged_by)), "least": _code(claim.shown_on)}
        yield say("judged by {commands}; {least} is the least that proves it", **by)
        yield say("its evidence depends on: {what}", what=say.listed(map(_code, claim.rests_on)))
    if claim.first_sign:
        yield say("the first sign: {sign}", sign=say(claim.first_sign))


def _lines(of: Deciding, say: Language) -> Iterator[str]:
    for said, lines in told(of.rule, of.phrases):
        yield say.message(said)
        yield from (f"- {say.message(each)}" for each in lines)


def _runs(standing: ClaimStanding, say: Language) -> Iterator[str]:
    yield say.told(standing.told, "")
    for each in standing.evidence[:_MOST_RUNS]:
        verdict = say(reported.verdict_id(each.judgement))
        told = say.told(each.judgement.seen or each.judgement.told, "")
        yield f"- `{each.folder}`: {verdict}; {told}"
