"""A team's own alerts: what is wrong with each, and what it did over the run's course. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from harness.base.message import gettext_noop
from harness.model.message import Message, Told, message
from harness.rehearsals.alert_drill.theirs.facts import BreachStretch, QueriedRules, QueryAnswer
from harness.rehearsals.alert_drill.types import AlertDrillPlan
from harness.rules.objectives.alerts import promql_duration
from harness.rules.objectives.foreign.emitted import of_platform, unemitted, unknown_metric
from harness.rules.objectives.foreign.rules import PrometheusRule
from harness.rules.objectives.foreign.selectors import Recorded, Recording, beneath, reach_s, selectors
from harness.rules.rule import Fact, FactsOf

PHRASES = {
    "rule.mistakes": gettext_noop("{name}: {seen} mistakes in it"),
    "course_s": gettext_noop(
        "the run lasts {seen}, and {needed} s are what it looks back over and must hold for: whether it fires was not "
        "seen"
    ),
    "needed_s": gettext_noop("{seen} are what it looks back over and must hold for"),
    "breach.told": gettext_noop("fired in it: {names}"),
}
_LATE_S = 60.0  # behind a breach that an alert may still begin to fire in: its window has to forget it
_MOST_SHOWN = 4
_Answered: TypeAlias = tuple[PrometheusRule, QueryAnswer]


def theirs(plan: AlertDrillPlan, asked: QueriedRules) -> Iterator[Fact]:
    """Of every alert and every recording with a fault; then of the breaches that had to fire."""
    rules = list(zip(plan.theirs, asked.answers, strict=True))
    recorded = [Recording(rule.name, rule.labels, of.tree) for rule, of in rules if rule.records and of.tree]
    for rule, answer in rules:
        wrong = _once(_faults(rule, answer, asked, recorded))
        if wrong or not rule.records:
            yield from _rule(rule, answer, wrong, asked, recorded)
    yield from _covered(plan, rules, asked)


def _once(told: Iterable[Message]) -> Told:
    """Each once: a query names a metric more than once."""
    return tuple({str(each): each for each in told}.values())


def _faults(rule: PrometheusRule, answer: QueryAnswer, asked: QueriedRules, recorded: Recorded) -> Iterator[Message]:
    """Yield what is wrong with a rule, whatever it did: nobody gets it, Prometheus refuses it, it asks for what nobody
    emits."""
    if not rule.records and rule.channels == ():
        yield message("it tells nobody: it has no notification channel")
    if not rule.records and not rule.enabled:
        yield message("it is switched off")
    if answer.refused:
        yield message("Prometheus refuses it: {error}", error=answer.refused)
    yield from unknown_metric(rule.metric, asked.emitted, recorded)
    yield from unemitted(selectors(answer.tree) if answer.tree else (), asked.emitted, recorded)


def _rule(
    rule: PrometheusRule, answer: QueryAnswer, wrong: Told, asked: QueriedRules, recorded: Recorded
) -> Iterator[Fact]:
    """Its quiet shows nothing where the course is shorter than what it looks back over and must hold for. A drill's has
    made days before it."""
    fact, did_ = FactsOf(PHRASES, case=rule.where), did(rule, answer, asked) if answer.tree or not wrong else ()
    needed_s = rule.for_s + (0.0 if asked.course else reach_s(answer.tree, recorded))
    unseen = () if wrong else _unseen(answer, recorded)
    yield fact("rule.mistakes", len(wrong), of=len(answer.held), lacks=unseen, name=rule.name, besides=(*wrong, *did_))
    yield fact("course_s", asked.seconds, needed=f"{needed_s:,.0f}")
    yield fact("needed_s", 0.0 if fired(answer) else needed_s)


def _unseen(answer: QueryAnswer, recorded: Recorded) -> Told:
    """Why nothing is known of a rule that has no fault."""
    if not answer.tree:
        return (message("its condition is no PromQL: a person reads it"),)
    platforms = sorted({each.metric for each in beneath(answer.tree, recorded) if of_platform(each.metric)})
    told = message("the platform's metrics, which no run of the harness holds: {metrics}", metrics=", ".join(platforms))
    return (told,) if platforms else ()


def fired(answer: QueryAnswer) -> list[tuple[float, float | None]]:
    """Every stretch in which the alert fires, once whichever of its series do: (from, to) in s of the course, the first
    first."""
    found = {each for held in answer.held for each in held.spells}
    return sorted(
        ((each.fired_ms / 1000, None if each.resolved_ms is None else each.resolved_ms / 1000) for each in found),
        key=lambda each: each[0],
    )


def did(rule: PrometheusRule, answer: QueryAnswer, asked: QueriedRules) -> Told:
    """What the alert does over the course."""
    if rule.records:
        return (message("a recording"),)
    times = fired(answer)
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
            longest=f"{max(each.longest_s for each in answer.held):.0f}",
            needed=promql_duration(rule.for_s),
        ),
    )


def _during(at_s: float, course: Sequence[BreachStretch]) -> Message:
    found = next((each for each in course if _in(at_s, each)), None)
    if found is None:
        return message("at {minutes} minutes", minutes=f"{at_s / 60:.1f}")
    return message("{seconds} s into {trial}", seconds=f"{at_s - found.begin_s:.0f}", trial=found.name)


def _covered(plan: AlertDrillPlan, rules: Sequence[_Answered], asked: QueriedRules) -> Iterator[Fact]:
    """Of each breach of the course that the document alerts on: how many alerts of the folder tell of it. One that is
    switched off, or has nobody to tell, does not; one that is on since an earlier breach, or fires as often where
    nothing is broken, may."""
    planted = {each.name: each for each in asked.course}
    telling = [(rule, answer) for rule, answer in rules if rule.enabled and rule.channels != ()]
    if not planted:
        unknown = message("the run is no whole drill of the alerts, and its breaches are not known: name one by --of")
        yield from FactsOf(PHRASES, case="theirs.breach").none("breach.told", lacks=(unknown,))
    for trial in (each for each in plan.trials if each.fires and each.name in planted):
        breach, names, unsure = planted[trial.name], set[str](), set[str]()
        for rule, answer in telling:
            times = fired(answer)
            if any(_in(at_s, breach) for at_s, _ in times):
                (unsure if _by_chance(times, breach, asked) else names).add(rule.name)
            elif any(_since_before(each, breach, asked.course) for each in times):
                unsure.add(rule.name)
        fact, besides = FactsOf(PHRASES, case=trial.name), list[Message]()
        if not names and unsure:
            besides.append(message("since an earlier breach, or as often as where nothing was broken"))
        elif not names:
            besides.append(message("the document has: {names}", names=", ".join(trial.fires)))
        told = ", ".join(sorted(names or unsure)) or message("nothing of the folder")
        high = len(names | unsure)
        yield fact("breach.told", len(names), high=high, of=len(names), names=told, besides=tuple(besides))


def _length_s(breach: BreachStretch) -> float:
    return breach.end_s + _LATE_S - breach.begin_s


def _in(at_s: float, breach: BreachStretch) -> bool:
    """Whether what begins to fire then does in the breach."""
    return breach.begin_s <= at_s <= breach.end_s + _LATE_S


def _by_chance(times: Sequence[tuple[float, float | None]], breach: BreachStretch, asked: QueriedRules) -> bool:
    """Whether an alert that begins to fire as often as this one does where nothing is broken would in a breach of this
    length; one such moment is no frequency. What is on from the first moment on began before the course did."""
    strays = {at_s for at_s, _ in times if at_s and not any(_in(at_s, each) for each in asked.course)}
    quiet_s = asked.seconds - sum(map(_length_s, asked.course))
    return len(strays) > 1 and len(strays) * _length_s(breach) >= quiet_s


def _since_before(stretch: tuple[float, float | None], breach: BreachStretch, course: Iterable[BreachStretch]) -> bool:
    """Whether it is on all through the breach, since an earlier one."""
    at_s, to_s = stretch
    through = at_s < breach.begin_s and (to_s is None or to_s >= breach.end_s)
    return through and any(_in(at_s, each) for each in course)
