"""The drill, judged: each alert fires, stays quiet, resolves and reaches whom it must. Pure.

What had to fire comes of our own arithmetic on the evidence; what fired, of Prometheus; what came, of the receivers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from harness.base.units import Unit
from harness.evidence.gathered import Gathered
from harness.model.expected import Expected, expected_of
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.objectives.firing import Spell
from harness.rehearsals.alert_drill.configure import alerts
from harness.rehearsals.alert_drill.expected import Due, due
from harness.rehearsals.alert_drill.judge_breaches import about, shown
from harness.rehearsals.alert_drill.judge_burns import BURNS, burns
from harness.rehearsals.alert_drill.judge_errata import budgets, errata
from harness.rehearsals.alert_drill.judge_theirs import theirs
from harness.rehearsals.alert_drill.pairs import Mine, Pair, fired_off_s, misdelivered, off_by_s, paired, tolerance_s
from harness.rehearsals.alert_drill.types import (
    BUDGET,
    BUDGET_CLAIM,
    CLAIM,
    ROUTE_CLAIM,
    SIDECARS,
    TARGET,
    AlertDrillDetails,
    AlertDrillPlan,
)

#: A stretch from the first evaluation to the last: the made history alone is above the limit.
_ALL_ALONG = Spell(0, None)
#: What the alerts are a part of: each that fires and is delivered shows it.
_WORK = ("phase2.monitoring",)
_OF_EACH = ("fires", "quiet", "resolves", "routes")
_NS = 1_000_000_000


def expected(plan: AlertDrillPlan) -> Iterator[Expected]:
    """Of each alert four things, of the burn rates two; routes, budgets, what is scraped; a team's own alerts."""
    yield from (Expected("", f"theirs.{rule.where}") for rule in plan.theirs if not rule.records)
    if plan.of:
        return
    of_alerts = ((f"{claim}.{what}", claim) for claim in CLAIM.values() for what in _OF_EACH)
    if any(each.alert for each in plan.objectives):
        yield from expected_of((name, "") for name in BURNS)
    yield from expected_of((*of_alerts, *((claim, claim) for claim in ROUTE_CLAIM.values())))
    yield from expected_of(((BUDGET_CLAIM[each.name],) * 2 for each in plan.objectives), kind=Kind.CHECK)
    yield Expected("", "scrape.target", kind=Kind.CHECK)


def judged(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Iterator[Judgement]:
    """Four alerts, four things each; the routes; the burn rates; what was seen of the errata; what was scraped; a
    team's own alerts."""
    if details.asked is not None:
        yield from theirs(plan, details.asked)
    if plan.of:
        return
    yield from budgets(plan)
    if not details.asked_ns:
        return
    found, seen = compared(plan, details, evidence), shown(plan, details, evidence)
    for name in CLAIM:
        mine = [(each, pairs) for each, pairs in found if each.alert == name]
        yield _fires(plan, details, name, mine)
        yield _quiet(plan, details, name, mine, seen)
        yield _resolves(plan, details, name, mine)
        yield _routes(details, name, mine)
    yield from _by_route(details, [(each, pairs) for each, pairs in found if not each.severity])
    yield from burns(plan, details, found)
    yield from errata(plan, details, seen)
    yield from scraped(details)


def scraped(details: AlertDrillDetails) -> Iterator[Judgement]:
    """That Prometheus got the metrics of every pod's target, and of its sidecar where the manifests have one: alerts on
    what nobody scrapes are quiet for ever. Of a run that did not count what answered nothing is said."""
    if details.scraped is None:
        return
    yield _scrape(details, TARGET, "target", message("Prometheus scrapes the target's metrics"), details.scraped)
    if details.sidecars is not None:
        asked = message("Prometheus scrapes the metrics of each pod's proxy to the database")
        yield _scrape(details, SIDECARS, "sidecars", asked, details.sidecars)


def _scrape(details: AlertDrillDetails, job: str, what: str, asked: Message, count: int) -> Judgement:
    """A run of before did not count the pods that there were: that it was all of them, it does not show."""
    place, pods = details.places.get(job), details.targets
    told = [message("of {count} of {pods} pods", count=str(count), pods=str(pods))]
    if not pods:
        told = [message("of {count} pods", count=str(count))]
    told.append(message("asked at {place}, for one", place=place) if place else message("no pod became ready"))
    verdict = Verdict.PASS
    if count < max(1, details.scraped or 0, pods):
        verdict = Verdict.FAIL
    elif not pods:
        verdict = Verdict.INCONCLUSIVE
        told.append(message("how many pods there were was not counted"))
    return Judgement(
        id=f"scrape.{what}", kind=Kind.CHECK, verdict=verdict, asked=(asked,), told=tuple(told), samples=count
    )


def compared(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Mine:
    """What had to fire beside what did, of each alert on what users and probes saw, as written and by burn rates."""
    return [(each, paired(details, each)) for each in due(plan, alerts(plan.objectives, plan.scale), details, evidence)]


def _judgement(
    plan: AlertDrillPlan, name: str, what: str, *, verdict: Verdict, asked: Message, told: Message,
    value: float | None, samples: int,
) -> Judgement:  # fmt: skip
    return Judgement(
        id=f"{CLAIM[name]}.{what}", claim=CLAIM[name], also=_WORK, verdict=verdict, asked=(asked,),
        told=(told, _scale(plan)), value=value, limit=tolerance_s(plan) if value is not None else None,
        unit=Unit.SECONDS if value is not None else Unit.NONE, samples=samples,
    )  # fmt: skip


def _scale(plan: AlertDrillPlan) -> Message:
    if plan.scale == 1:
        return message("in the document's own minutes")
    return message("minutes divided by {scale}: no evidence for the document's own", scale=f"{plan.scale:g}")


def _fires(plan: AlertDrillPlan, details: AlertDrillDetails, name: str, mine: Mine) -> Judgement:
    """Of each of its objectives: one that never had to fire leaves it open."""
    pairs = [pair for _, found in mine for pair in found if pair.due is not None]
    offs = fired_off_s(plan, details, pairs)
    missed = sum(pair.seen is None for pair in pairs)
    wrong = missed or any(off > tolerance_s(plan) for off in offs)
    silent = [each for each, found in mine if not any(pair.due for pair in found)]
    verdict = Verdict.FAIL if wrong else Verdict.INCONCLUSIVE if silent or not pairs else Verdict.PASS
    asked = message("fires when it must, by our own arithmetic on what users and probes saw")
    told = message("had to fire {due} times, {missed} of them missed", due=str(len(pairs)), missed=str(missed))
    if pairs and silent:
        told = message(
            "{told}; of {objectives} it never had to: whether it fires then was not seen",
            told=told, objectives=_named(silent),
        )  # fmt: skip
    return _judgement(
        plan, name, "fires", verdict=verdict, asked=asked, told=told, value=max(offs, default=None), samples=len(pairs)
    )


def _named(of: Sequence[Due]) -> str:
    return ", ".join(each.objective for each in of)


def _quiet(plan: AlertDrillPlan, details: AlertDrillDetails, name: str, mine: Mine, seen: Collection[str]) -> Judgement:
    """By the breaches that were ``seen`` of those that the plan has: one that was not leaves it open where it is about
    it, or was not planted."""
    wrong = [pair for _, found in mine for pair in found if pair.due is None]
    quiet, planted = [t for t in plan.trials if name not in t.fires], {each.trial for each in details.planted}
    count = sum(trial.name in seen for trial in quiet)
    void = [t.name for t in quiet if t.name not in seen and (about(t) == name or t.name not in planted)]
    had_to = [pair for each, found in mine for pair in found if pair.due and not _planned(plan, details, each, pair)]
    verdict = Verdict.FAIL if wrong else Verdict.INCONCLUSIVE if had_to or void or not count else Verdict.PASS
    asked = message("stays quiet when it must")
    told = message(
        "{trials} breaches that are too short, too small or of another kind: it fired {wrong} times without a cause",
        trials=str(count), wrong=str(len(wrong)),
    )  # fmt: skip
    if had_to:
        told = message(
            "{told}; {count} times what was seen went above its limit outside the breaches that were to: it had to "
            "fire, and whether it stays quiet was not seen",
            told=told, count=str(len(had_to)),
        )  # fmt: skip
    if void:
        told = message(
            "{told}; what users saw does not show the breach of {trials}: whether it stays quiet in it was not seen",
            told=told, trials=", ".join(void),
        )  # fmt: skip
    return _judgement(plan, name, "quiet", verdict=verdict, asked=asked, told=told, value=None, samples=count)


def _planned(plan: AlertDrillPlan, details: AlertDrillDetails, wanted: Due, pair: Pair) -> bool:
    """Whether a stretch that had to be begins in a trial that the plan has it fire in. The budgets of what the history
    or a trial below the limits spends fire when they must, which is another's to say."""
    if wanted.alert == BUDGET or pair.due is None:
        return True
    at_ns = details.origin_ns + pair.due.fired_ms * 1_000_000
    fires = {trial.name for trial in plan.trials if wanted.alert in trial.fires}
    slack_ns = round(plan.scaled(plan.between_s) * _NS)
    return any(p.begun_ns <= at_ns <= p.ended_ns + slack_ns for p in details.planted if p.trial in fires)


def _resolves(plan: AlertDrillPlan, details: AlertDrillDetails, name: str, mine: Mine) -> Judgement:
    """Of each of its objectives: one that never had to resolve leaves it open. One whose made history alone is above
    the limit, from the first evaluation to the last, cannot within a drill, and is named."""
    pairs = [pair for _, found in mine for pair in found if pair.due is not None and pair.due.resolved_ms is not None]
    offs = [abs(off) for pair in pairs if (off := off_by_s(details, pair)[1]) is not None]
    missed = len(pairs) - len(offs)
    late = any(off > tolerance_s(plan) for off in offs)
    on = [(each, found) for each, found in mine if not any(pair.due and pair.due.resolved_ms for pair in found)]
    silent = any([pair.due for pair in found if pair.due] != [_ALL_ALONG] for _, found in on)
    verdict = Verdict.FAIL if missed or late else Verdict.INCONCLUSIVE if silent or not pairs else Verdict.PASS
    asked = message("resolves when it must")
    told = message("had to resolve {due} times, {missed} of them missed", due=str(len(pairs)), missed=str(missed))
    if pairs and on:
        told = message(
            "{told}; of {objectives} it never had to: whether it resolves then was not seen",
            told=told, objectives=_named([each for each, _ in on]),
        )  # fmt: skip
    return _judgement(
        plan, name, "resolves", verdict=verdict, asked=asked, told=told, value=max(offs, default=None),
        samples=len(pairs),
    )  # fmt: skip


def _routes(details: AlertDrillDetails, name: str, mine: Mine) -> Judgement:
    """Each stretch of firing is told on each of the alert's routes, and on no other; and so is its end: of each of its
    objectives."""
    lacking = [what for each, found in mine for what in misdelivered(details, each, found)]
    count = sum(pair.seen is not None for _, found in mine for pair in found)
    silent = [each for each, found in mine if all(pair.seen is None for pair in found)]
    verdict = Verdict.FAIL if lacking else Verdict.INCONCLUSIVE if silent or not count else Verdict.PASS
    routes = ", ".join(sorted({route for each, _ in mine for route in each.routes}))
    asked = message("reaches {routes}, and nobody else", routes=routes)
    told = message("{count} times it fired; not delivered: {lacking}", count=str(count), lacking=str(len(lacking)))
    if count and silent:
        told = message(
            "{told}; of {objectives} it never fired: whom it reaches then was not seen",
            told=told, objectives=_named(silent),
        )  # fmt: skip
    return Judgement(
        id=f"{CLAIM[name]}.routes", claim=CLAIM[name], also=_WORK, verdict=verdict, asked=(asked,), told=(told,),
        samples=count, examples=tuple(lacking[:5]),
    )  # fmt: skip


def _by_route(details: AlertDrillDetails, mine: Mine) -> Iterator[Judgement]:
    """Each receiver: what it got was what the real one takes, and of each alert that goes there. One that never fired
    had nothing to be delivered, and leaves it open."""
    for route, claim in ROUTE_CLAIM.items():
        got = [each for each in details.deliveries if each.route == route]
        flaws = [each.flaw for each in got if each.flaw]
        wanted = [(each.alert, any(pair.seen for pair in pairs)) for each, pairs in mine if route in each.routes]
        fired = {alert for alert, once in wanted if once}
        silent = {alert for alert, _ in wanted} - {each.alert for each in got}
        lacking, quiet = sorted(silent & fired), sorted(silent - fired)
        open_ = quiet or not got or not wanted
        verdict = Verdict.FAIL if flaws or lacking else Verdict.INCONCLUSIVE if open_ else Verdict.PASS
        told = message("{count} notifications, {flaws} of them refused", count=str(len(got)), flaws=str(len(flaws)))
        if quiet:
            told = message(
                "{told}; never fired: {alerts}; whether this receiver gets them then was not seen",
                told=told, alerts=", ".join(quiet),
            )  # fmt: skip
        yield Judgement(
            id=claim, claim=claim, verdict=verdict, told=(told,), samples=len(got),
            asked=(message("takes the notifications as the real service would"),), examples=(*flaws[:3], *lacking),
        )  # fmt: skip
