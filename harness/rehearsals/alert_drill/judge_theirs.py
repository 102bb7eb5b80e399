"""A team's own alerts, judged: what is wrong with each, else what it did over the run's course. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.objectives.alerts import four, promql_duration
from harness.objectives.foreign.emitted import of_platform
from harness.objectives.foreign.faults import Known, faults
from harness.objectives.foreign.rules import Rule
from harness.objectives.foreign.trees import selectors
from harness.rehearsals.alert_drill.theirs.facts import SCRAPE_S, Answer, Asked, Stretch
from harness.rehearsals.alert_drill.types import AlertDrillPlan

_LATE_S = 60.0  # behind a breach that an alert may still begin to fire in: its window has to forget it
_MOST_SHOWN = 4


def theirs(plan: AlertDrillPlan, asked: Asked) -> Iterator[Judgement]:
    """Every alert and every recording with a fault, in the order of the files; then the breaches that had to fire."""
    known = _known(plan, asked)
    for rule, answer in zip(plan.theirs, asked.answers, strict=True):
        wrong = _once(faults(rule, answer.tree, answer.refused, known))
        if wrong or not rule.records:
            yield _rule(rule, answer, wrong, asked)
    yield from _covered(plan, asked)


def _once(told: Iterable[Message]) -> Told:
    """Each once: a query names a metric more than once."""
    return tuple({str(each): each for each in told}.values())


def _known(plan: AlertDrillPlan, asked: Asked) -> Known:
    recorded = {
        rule.name: (rule, answer.tree)
        for rule, answer in zip(plan.theirs, asked.answers, strict=True)
        if rule.records and answer.tree
    }
    return Known(
        emitted=asked.emitted, recorded=recorded, scrape_s=SCRAPE_S, document=tuple(four(plan.objectives))
    )  # fmt: skip


def _rule(rule: Rule, answer: Answer, wrong: Sequence[Message], asked: Asked) -> Judgement:
    verdict, told = Verdict.PASS, did(rule, answer, asked)
    if wrong:
        verdict, told = Verdict.FAIL, (*wrong, *(told if answer.tree else ()))
    elif unseen := _unseen(answer):
        verdict, told = Verdict.NOT_EXERCISED, (unseen,)
    what = message("{where}: {name}", where=rule.where, name=rule.name)
    return Judgement(
        id=f"theirs.{rule.where}", verdict=verdict, asked=(what,), told=told, samples=len(answer.held),
        gates=verdict is not Verdict.NOT_EXERCISED,
    )  # fmt: skip


def _unseen(answer: Answer) -> Message | None:
    """Why nothing is known of a rule that has no fault."""
    if not answer.tree:
        return message("its condition is no PromQL: a person reads it")
    platforms = sorted({each.metric for each in selectors(answer.tree) if of_platform(each.metric)})
    if platforms:
        return message(
            "the platform's metrics, which no run of the harness holds: {metrics}", metrics=", ".join(platforms)
        )
    return None


def fired(answer: Answer) -> list[tuple[float, float | None]]:
    """Every stretch in which the alert fires, once whichever of its series do: (from, to) in s of the course, the first
    first."""
    found = {each for held in answer.held for each in held.spells}
    return sorted(
        ((each.fired_ms / 1000, None if each.resolved_ms is None else each.resolved_ms / 1000) for each in found),
        key=lambda each: each[0],
    )


def did(rule: Rule, answer: Answer, asked: Asked) -> Told:
    """What the alert does over the course."""
    if rule.records or not answer.tree:
        return (message("a recording"),) if rule.records else ()
    times = fired(answer)
    longest_s = max((each.longest_s for each in answer.held), default=0.0)
    if times:
        shown = [_during(at_s, asked.course) for at_s, _ in times[:_MOST_SHOWN]]
        more = (message("and {count} times more", count=str(len(times) - _MOST_SHOWN)),)
        return (
            message("it fires {count} times", count=str(len(times))),
            *shown,
            *(more if len(times) > _MOST_SHOWN else ()),
        )
    if not answer.held:
        return (message("it stays quiet: its query never held"),)
    return (
        message(
            "it stays quiet: its query held for at most {longest} s of the {needed} that it must",
            longest=f"{longest_s:.0f}",
            needed=promql_duration(rule.for_s),
        ),
    )


def _during(at_s: float, course: Sequence[Stretch]) -> Message:
    found = next((each for each in course if each.begin_s <= at_s <= each.end_s + _LATE_S), None)
    if found is None:
        return message("at {minutes} minutes", minutes=f"{at_s / 60:.1f}")
    return message("{seconds} s into {trial}", seconds=f"{at_s - found.begin_s:.0f}", trial=found.name)


def _covered(plan: AlertDrillPlan, asked: Asked) -> Iterator[Judgement]:
    """Of each breach of the course that the document alerts on: whether anything of the folder fires in it."""
    planted = {each.name: each for each in asked.course}
    for trial in (each for each in plan.trials if each.fires and each.name in planted):
        stretch = planted[trial.name]
        names = sorted(
            {
                rule.name
                for rule, answer in zip(plan.theirs, asked.answers, strict=True)
                if any(_fires_in(each, stretch) for each in fired(answer))
            }
        )
        told = message("fired in it: {names}", names=", ".join(names))
        if not names:
            told = message(
                "nothing of the folder fires in it, and the document has: {names}", names=", ".join(trial.fires)
            )
        yield Judgement(
            id=f"theirs.breach.{trial.name}", verdict=Verdict.PASS if names else Verdict.FAIL, told=(told,),
            asked=(message("an alert fires in the breach {trial}", trial=trial.name),), samples=len(names),
        )  # fmt: skip


def _fires_in(stretch: tuple[float, float | None], breach: Stretch) -> bool:
    """Whether it begins to fire in the breach."""
    return breach.begin_s <= stretch[0] <= breach.end_s + _LATE_S
