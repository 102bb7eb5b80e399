"""The facts of a drill: of each alert whether it fired, stayed quiet, resolved and reached whom it must. Pure.

What had to fire comes of our own arithmetic on the evidence; what fired, of Prometheus; what came, of the receivers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from harness.base.message import gettext_noop
from harness.evidence.store import Gathered
from harness.model.evidence import ProbeRow, RequestRow, Side
from harness.model.judgement import Expected, Kind
from harness.model.message import Message, message
from harness.model.stack import FaultKind
from harness.rehearsals.alert_drill import facts_theirs
from harness.rehearsals.alert_drill.expected import (
    ALERT_S,
    OBJECTIVE_S,
    FiringDue,
    Mine,
    StretchPair,
    due,
    fired_off_s,
    misdelivered,
    ms_of,
    off_by_s,
    off_s,
    paired,
    tolerance_s,
)
from harness.rehearsals.alert_drill.exporter import failed, latency_s
from harness.rehearsals.alert_drill.facts_theirs import theirs
from harness.rehearsals.alert_drill.types import (
    AVAILABILITY,
    BUDGET,
    BUDGET_CLAIM,
    CLAIM,
    ERRORS,
    LATENCY,
    ROUTE_CLAIM,
    SIDECARS,
    TARGET,
    USERS,
    AlertDrillDetails,
    AlertDrillPlan,
    Breach,
    Firing,
    PlantedBreach,
)
from harness.rehearsals.alert_drill.watching import alerts
from harness.rules.objectives.alerts import BURN_URGENCY
from harness.rules.objectives.budget import budget_s
from harness.rules.objectives.firing import Spell
from harness.rules.rule import Fact, FactsOf

# Whether a breach was one: what users saw while it was planted, beside what it was to do to them. Pure.
# An alert's quiet shows something only where there was a breach to be quiet about.

_SLOW = (FaultKind.LATENCY, FaultKind.DATABASE_SLOW)
_BELOW_LIMIT = "_below_limit"


def about(trial: Breach) -> str:
    """The alert on users' requests whose breach a trial plants, large enough or not."""
    return LATENCY if trial.fault.kind in _SLOW else ERRORS


def below_limit(trial: Breach) -> bool:
    """Whether it is to break the objective alone, and not the limit of the alert that it is about."""
    return trial.name.endswith(_BELOW_LIMIT)


def shown(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> frozenset[str]:
    """The trials that took place and did to users what they were to, with probes beside them."""
    planted = {each.trial: each for each in details.planted}
    calls = [row for row in evidence.requests if row.side is Side.API]
    return frozenset(
        trial.name
        for trial in plan.trials
        if (at := planted.get(trial.name)) is not None
        and any(_ended_in(at, row) for row in evidence.probes)
        and _broke(plan, trial, [row for row in calls if _ended_in(at, row)])
    )


def _ended_in(at: PlantedBreach, row: RequestRow | ProbeRow) -> bool:
    return at.begun_ns <= row.done_ns <= at.ended_ns


def _broke(plan: AlertDrillPlan, trial: Breach, calls: Sequence[RequestRow]) -> bool:
    """By the shares of its alert over the whole trial. Of a slow one below the limit most of the slow calls have to lie
    below it: a machine that stands still for a second makes no other breach of it."""
    limit = next(each.limit for each in alerts(plan.objectives, plan.scale) if each.name == about(trial))
    if about(trial) == ERRORS:
        share = _share([failed(row) for row in calls])
        budget = next(each.budget for each in plan.objectives if each.name == "errors")
        return budget < share <= limit if below_limit(trial) else share > limit
    took_s = [latency_s(row) for row in calls if row.status]
    above = _share([each > ALERT_S for each in took_s])
    if not below_limit(trial):
        return above > limit
    return _share([each > OBJECTIVE_S for each in took_s]) > max(limit, 2 * above)


def _share(bad: Sequence[bool]) -> float:
    return sum(bad) / len(bad) if bad else 0.0


# What a drill shows of the document's own mistakes, and the budgets recomputed. Pure.

ERRATA_PHRASES = {
    "budget.left": gettext_noop("{target} % over {days} days leave {budget}"),
    "budget.printed": gettext_noop("the document prints {seen}"),
    "errors.paged": gettext_noop(
        "the alert on errors paged by PagerDuty {seen} times, which the routes have in Phase 4 alone"
    ),
    "outage.by_users": gettext_noop(
        "nothing reached the API for {seconds} s: by what users saw the alert on errors fired, by the API's own "
        "counters it did not, for they stood still"
    ),
    "outage.met": gettext_noop("users met the outage: {seen}"),
    "outage.by_target": gettext_noop("by the API's own counters it fired {seen} times"),
    "outage.counters": gettext_noop("counters that the alert asks for, and were scraped: {seen}"),
    "window.burn_s": gettext_noop(
        "the burn rate paged {burn} s after the first breach began, the alert as written {written} s after: over 30 "
        "days, of which the made history had nearly spent what it allows"
    ),
    "window.written_s": gettext_noop("the alert as written fired {seen} after the first breach began"),
    "gap.quiet": gettext_noop("quiet, as written, in {trials}"),
}
TICKET = BURN_URGENCY[False].severity
#: Error Budget as the document prints it: 43 minutes a month, 5 % and 1 % of requests.
_PRINTED = {"availability": 43.0, "latency": 0.05, "errors": 0.01}


def budgets(plan: AlertDrillPlan) -> Iterator[Fact]:
    """The budget of each objective, recomputed from its target and window; whole minutes, as the document prints."""
    for each in plan.objectives:
        fact = FactsOf(ERRATA_PHRASES, case=BUDGET_CLAIM[each.name].split(".")[1])
        value, target = each.budget, f"{each.target * 100:g}"
        left = message("{share} % of requests", share=f"{value * 100:g}")
        if each.name == "availability":
            minutes = budget_s(each.target, each.days) / 60
            value, left = float(int(minutes)), message("{minutes} minutes", minutes=f"{minutes:.1f}")
        yield fact("budget.left", value, of=1, target=target, days=str(each.days), budget=left)
        yield fact("budget.printed", _PRINTED[each.name])


def errata(plan: AlertDrillPlan, details: AlertDrillDetails, seen: Collection[str]) -> Iterator[Fact]:
    """What the drill shows of the document's own mistakes, by the trials that were ``seen``."""
    fact, taken = FactsOf(ERRATA_PHRASES), [each for each in details.deliveries if not each.flaw and not each.resolved]
    yield fact("errors.paged", sum((each.route, each.alert) == ("pagerduty", ERRORS) for each in taken))
    outage = next((each for each in details.planted if each.trial == "outage"), None)
    if outage is None:
        return
    by_users = [f for f in _of(details.firings, ERRORS, USERS) if f.fired_ns >= outage.begun_ns]
    by_target = [f for f in _of(details.firings, ERRORS, TARGET) if _on(f, outage.begun_ns, details.asked_ns)]
    yield fact("outage.by_users", len(by_users), seconds=f"{(outage.ended_ns - outage.begun_ns) / _NS:.0f}")
    yield fact("outage.by_target", len(by_target))
    yield fact("outage.met", int(outage.trial in seen))
    yield fact("outage.counters", int(details.scraped != 0 and _counts(details)))
    yield from _window(fact, details, details.planted[0].begun_ns)
    small = list(_quiet_below(plan, details, seen))
    yield fact("gap.quiet", len(small), trials=", ".join(small))


def _counts(details: AlertDrillDetails) -> bool:
    """Whether Prometheus had of the target itself what the alert on errors asks for."""
    return any(each.startswith("/v1/") for each in details.emitted.get("http_requests_total", {}).get("route", ()))


def _quiet_below(plan: AlertDrillPlan, details: AlertDrillDetails, seen: Collection[str]) -> Iterator[str]:
    """The breaches between an objective and the limit of its alert that were seen, and in which this alert, which did
    fire in another, was not on at any time."""
    planted = {each.trial: each for each in details.planted}
    for trial in (each for each in plan.trials if below_limit(each) and each.name in seen):
        own, at = _of(details.firings, about(trial), USERS), planted[trial.name]
        if own and not any(_on(f, at.begun_ns, at.ended_ns) for f in own):
            yield trial.name


def _on(firing: Firing, begun_ns: int, ended_ns: int) -> bool:
    return firing.fired_ns <= ended_ns and (firing.resolved_ns is None or firing.resolved_ns >= begun_ns)


def _window(fact: FactsOf, details: AlertDrillDetails, begun_ns: int) -> Iterator[Fact]:
    """The burn rate beside the alert as written, from the first breach that probes saw."""
    burns = [f for f in details.burns if f.objective == "availability" and f.severity != TICKET]
    firsts = [
        min((f.fired_ns for f in its if f.fired_ns >= begun_ns), default=None)
        for its in (burns, _of(details.firings, AVAILABILITY))
    ]
    burn_s, written_s = (None if at_ns is None else (at_ns - begun_ns) / _NS for at_ns in firsts)
    if burn_s is not None and written_s is not None:
        yield fact("window.burn_s", burn_s, burn=f"{burn_s:.0f}", written=f"{written_s:.0f}")
        yield fact("window.written_s", written_s)


def _of(firings: Iterable[Firing], alert: str, job: str = "") -> list[Firing]:
    return [each for each in firings if (each.alert, each.job) == (alert, job)]


# The burn-rate alerts of a drill, the correction of the alerts without a window: that the pages and the tickets of all
# three objectives fire when they must and are delivered. Pure.
# Their windows of hours and days hold the made history besides, and are never scaled, so that most of them fire once in
# a drill, and stay.

BURN_PHRASES = {
    "burn.tolerance_s": gettext_noop("{seen} are two evaluations, a scrape and the time in which evidence is gathered"),
    "burn.off_s": gettext_noop("fired at most {off} off"),
    "burn.wrong": gettext_noop("had to fire for {due} of {count} objectives: {seen} missed or without a cause"),
    "burn.silent": gettext_noop("objectives of which it never had to fire: {seen} of {of}"),
    "burn.lacking": gettext_noop("fired for {of} objectives; not delivered: {seen}"),
    "burn.fired": gettext_noop("fired for {seen} of {objectives} objectives"),
    "burn.objectives": gettext_noop("{seen} objectives"),
}
#: By whether it pages: what its judgements are called.
_NAMES = {True: "page", False: "ticket"}
BURNS = [f"burn.{name}.{what}" for name in _NAMES.values() for what in ("fires", "routes")]


def burn_tolerance_s(plan: AlertDrillPlan) -> float:
    """One evaluation more than of an alert as written: the shares are recorded by one group of rules, and read by
    another."""
    return tolerance_s(plan) + plan.scaled(plan.evaluate_s)


def burns(plan: AlertDrillPlan, details: AlertDrillDetails, found: Mine) -> Iterator[Fact]:
    """Of the pages and of the tickets: that they fire when they must and else not, and that they are delivered; nothing
    where the plan's objectives name none, as before they did."""
    for pages, urgency in BURN_URGENCY.items():
        mine = [(each, pairs) for each, pairs in found if each.severity == urgency.severity]
        if mine:
            fact = FactsOf(BURN_PHRASES, case=_NAMES[pages])
            yield from _burn_fires(fact, plan, details, mine)
            yield from _delivered(fact, details, mine)


def _burn_fires(fact: FactsOf, plan: AlertDrillPlan, details: AlertDrillDetails, mine: Mine) -> Iterator[Fact]:
    """By the first stretch of each objective that is long enough to be seen wherever scrapes and evaluations lie."""
    limit_s = burn_tolerance_s(plan)
    offs, wrong, silent = list[float](), list[str](), 0
    for each_due, pairs in mine:
        seen = [pair.seen for pair in pairs if pair.seen is not None]
        first = next((each for each in each_due.spells if _lasts_s(details, each) > 2 * limit_s), None)
        silent += first is None
        if first is not None:
            off = _off_s(details, each_due, first, seen)
            offs += [] if off is None else [off]
            wrong += [f"{each_due.objective}: missed"] if off is None else []
        fired_s = [ms_of(details, each.fired_ns) / 1000 for each in seen]
        wrong += [f"{each_due.objective}: without a cause" for each in fired_s if _outside(each_due, each, limit_s)]
    yield fact("burn.tolerance_s", limit_s)
    yield off_s(fact, "burn.off_s", offs, len(offs), examples=wrong[:5])
    yield fact("burn.wrong", len(wrong), due=str(len(mine) - silent), count=str(len(mine)))
    yield fact("burn.silent", silent, of=len(mine))


def _lasts_s(details: AlertDrillDetails, spell: Spell) -> float:
    end_ms = ms_of(details, details.asked_ns) if spell.resolved_ms is None else spell.resolved_ms
    return (end_ms - spell.fired_ms) / 1000


def _off_s(details: AlertDrillDetails, due: FiringDue, first: Spell, seen: Sequence[Firing]) -> float | None:
    """How far off the firing was that was on in the stretch ``first``: from its begin, or from that of a shorter one
    before it, which may have been seen as one with it. ``None``: there was none."""
    begins_ms = [each.fired_ms for each in due.spells if each.fired_ms <= first.fired_ms]
    on = [
        each
        for each in seen
        if (first.resolved_ms is None or ms_of(details, each.fired_ns) <= first.resolved_ms)
        and (each.resolved_ns is None or ms_of(details, each.resolved_ns) >= first.fired_ms)
    ]
    return min((abs(ms_of(details, each.fired_ns) - ms) / 1000 for each in on for ms in begins_ms), default=None)


def _outside(due: FiringDue, at_s: float, limit_s: float) -> bool:
    """Whether it is in none of the stretches, not even by what scrapes and evaluations may lie apart."""
    return not any(
        each.fired_ms / 1000 - limit_s <= at_s
        and (each.resolved_ms is None or at_s <= each.resolved_ms / 1000 + limit_s)
        for each in due.spells
    )


def _delivered(fact: FactsOf, details: AlertDrillDetails, mine: Mine) -> Iterator[Fact]:
    """Each that fired is told on each of its routes, and on no other; of each objective one at least."""
    lacking = [what for due, pairs in mine for what in misdelivered(details, due, pairs)]
    count = sum(any(pair.seen is not None for pair in pairs) for _, pairs in mine)
    yield fact("burn.lacking", len(lacking), of=count, examples=lacking[:5])
    yield fact("burn.fired", count, objectives=str(len(mine)))
    yield fact("burn.objectives", len(mine))


#: Each fact of a drill, in a sentence.
PHRASES = {
    "tolerance_s": gettext_noop("{seen} are an evaluation, a scrape and the time in which evidence is gathered"),
    "fired.off_s": gettext_noop("fired at most {off} off"),
    "fired.missed": gettext_noop("had to fire {of} times, {seen} of them missed"),
    "fired.silent": gettext_noop("of {objectives} it never had to: whether it fires then was not seen"),
    "quiet.fired": gettext_noop(
        "{of} breaches that are too short, too small or of another kind: it fired {seen} times without a cause"
    ),
    "quiet.trials": gettext_noop("breaches in which it was to stay quiet: {seen}"),
    "quiet.had_to": gettext_noop(
        "{seen} times what was seen went above its limit outside the breaches that were to: it had to fire, and "
        "whether it stays quiet was not seen"
    ),
    "quiet.void": gettext_noop(
        "what users saw does not show the breach of {trials}: whether it stays quiet in it was not seen"
    ),
    "resolved.off_s": gettext_noop("resolved at most {off} off"),
    "resolved.missed": gettext_noop("had to resolve {of} times, {seen} of them missed"),
    "resolved.silent": gettext_noop("objectives of which it never had to resolve: {seen}"),
    "routes.fired": gettext_noop("{seen} times it fired"),
    "routes.lacking": gettext_noop("{of} times it fired; not delivered: {seen}"),
    "routes.silent": gettext_noop("of {objectives} it never fired: whom it reaches then was not seen"),
    "receiver.refused": gettext_noop("{of} notifications, {seen} of them refused"),
    "receiver.got": gettext_noop("{seen} notifications"),
    "receiver.lacking": gettext_noop("alerts that fired and did not come: {seen} ({alerts})"),
    "receiver.quiet": gettext_noop("never fired: {alerts}; whether this receiver gets them then was not seen"),
    "receiver.alerts": gettext_noop("alerts that go there: {seen}"),
    "scraped": gettext_noop("of {seen} of {pods} pods"),
    "scraped.wanted": gettext_noop("{seen} were to be scraped"),
    "scraped.pods": gettext_noop("pods that were counted: {seen}"),
    **BURN_PHRASES,
    **ERRATA_PHRASES,
    **facts_theirs.PHRASES,
}
#: A stretch from the first evaluation to the last: the made history alone is above the limit.
_ALL_ALONG = Spell(0, None)
_OF_EACH = ("fires", "quiet", "resolves", "routes")
_NS = 1_000_000_000


def expected(plan: AlertDrillPlan) -> Iterator[Expected]:
    """Of each alert four things, of the burn rates two; what is scraped; a team's own alerts. Their recordings are
    judged where something is wrong with one, and breaches where the run planted them."""
    for rule in plan.theirs:
        yield Expected("", f"theirs.{rule.where}", kind=Kind.OBSERVATION if rule.records else Kind.CRITERION)
    if plan.theirs:
        breaches = ["theirs.breach", *(f"theirs.breach.{each.name}" for each in plan.trials if each.fires)]
        yield from (Expected("", name, kind=Kind.OBSERVATION) for name in breaches)
    if plan.of:
        return
    if any(each.alert for each in plan.objectives):
        yield from (Expected("", name) for name in BURNS)
    yield from (Expected("", f"{claim}.{what}", claim) for claim in CLAIM.values() for what in _OF_EACH)
    yield Expected("", "scrape.target", kind=Kind.CHECK)
    yield Expected("", "scrape.sidecars", kind=Kind.OBSERVATION)


def facts(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Iterator[Fact]:
    """Of four alerts four things each; of the routes, the burn rates, the errata, what was scraped; of a team's own
    alerts."""
    if details.asked is not None:
        yield from theirs(plan, details.asked)
    if plan.of:
        return
    yield from budgets(plan)
    if not details.asked_ns:
        return
    found, seen = compared(plan, details, evidence), shown(plan, details, evidence)
    yield FactsOf(PHRASES)("tolerance_s", tolerance_s(plan))
    for name, claim in CLAIM.items():
        fact, mine = FactsOf(PHRASES, case=claim[len("alert.") :]), [each for each in found if each[0].alert == name]
        yield from _fires(fact, plan, details, mine)
        yield from _quiet(fact, plan, details, mine, name=name, seen=seen)
        yield from _resolves(fact, plan, details, mine)
        yield from _routes(fact, details, mine)
    for route in ROUTE_CLAIM:
        yield from _of_route(details, route, [(each, pairs) for each, pairs in found if not each.severity])
    yield from burns(plan, details, found)
    yield from errata(plan, details, seen)
    yield from scraped(details)


def compared(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Mine:
    """What had to fire beside what did, of each alert on what users and probes saw, as written and by burn rates."""
    return [(each, paired(details, each)) for each in due(plan, alerts(plan.objectives, plan.scale), details, evidence)]


def scraped(details: AlertDrillDetails) -> Iterator[Fact]:
    """That Prometheus got the metrics of every pod's target, and of its sidecar where the manifests have one: alerts on
    what nobody scrapes are quiet for ever. Of a run that did not count what answered nothing is said; one that did not
    count the pods does not show that it was all of them."""
    counts = {TARGET: details.scraped, SIDECARS: None if details.scraped is None else details.sidecars}
    for job, count in counts.items():
        if count is not None:
            fact = FactsOf(PHRASES, case="scrape.target" if job == TARGET else "scrape.sidecars")
            place = details.places.get(job)
            asked = message("asked at {place}, for one", place=place) if place else message("no pod became ready")
            yield fact("scraped", count, of=count, pods=str(details.targets or "?"), besides=(asked,))
            yield fact("scraped.wanted", max(1, details.scraped or 0, details.targets))
            yield fact("scraped.pods", details.targets)


def _scale(plan: AlertDrillPlan) -> Message:
    if plan.scale == 1:
        return message("in the document's own minutes")
    return message("minutes divided by {scale}: no evidence for the document's own", scale=f"{plan.scale:g}")


def _fires(fact: FactsOf, plan: AlertDrillPlan, details: AlertDrillDetails, mine: Mine) -> Iterator[Fact]:
    """Of each of its objectives: of one that never had to fire nothing was seen."""
    pairs = [pair for _, found in mine for pair in found if pair.due is not None]
    silent = [each for each, found in mine if not any(pair.due for pair in found)]
    missed = sum(pair.seen is None for pair in pairs)
    yield off_s(fact, "fired.off_s", fired_off_s(plan, details, pairs), len(pairs))
    yield fact("fired.missed", missed, of=len(pairs), besides=(_scale(plan),))
    yield fact("fired.silent", len(silent), objectives=_named(silent))


def _named(of: Sequence[FiringDue]) -> str:
    return ", ".join(each.objective for each in of)


def _quiet(
    fact: FactsOf, plan: AlertDrillPlan, details: AlertDrillDetails, mine: Mine, *, name: str, seen: Collection[str]
) -> Iterator[Fact]:
    """By the breaches that were ``seen`` of those that the plan has; ``quiet.void`` are those that were not and are
    about it, or were not planted."""
    wrong = [pair for _, found in mine for pair in found if pair.due is None]
    quiet, planted = [t for t in plan.trials if name not in t.fires], {each.trial for each in details.planted}
    count = sum(trial.name in seen for trial in quiet)
    void = [t.name for t in quiet if t.name not in seen and (about(t) == name or t.name not in planted)]
    had_to = [pair for each, found in mine for pair in found if pair.due and not _planned(plan, details, each, pair)]
    yield fact("quiet.fired", len(wrong), of=count, besides=(_scale(plan),))
    yield fact("quiet.trials", count)
    yield fact("quiet.had_to", len(had_to))
    yield fact("quiet.void", len(void), trials=", ".join(void))


def _planned(plan: AlertDrillPlan, details: AlertDrillDetails, wanted: FiringDue, pair: StretchPair) -> bool:
    """Whether a stretch that had to be begins in a trial that the plan has it fire in. The budgets of what the history
    or a trial below the limits spends fire when they must, which is another's to say."""
    if wanted.alert == BUDGET or pair.due is None:
        return True
    at_ns = details.origin_ns + pair.due.fired_ms * 1_000_000
    fires = {trial.name for trial in plan.trials if wanted.alert in trial.fires}
    slack_ns = round(plan.scaled(plan.between_s) * _NS)
    return any(p.begun_ns <= at_ns <= p.ended_ns + slack_ns for p in details.planted if p.trial in fires)


def _resolves(fact: FactsOf, plan: AlertDrillPlan, details: AlertDrillDetails, mine: Mine) -> Iterator[Fact]:
    """Of each of its objectives. One whose made history alone is above the limit, from the first evaluation to the
    last, cannot within a drill, and is named."""
    pairs = [pair for _, found in mine for pair in found if pair.due is not None and pair.due.resolved_ms is not None]
    offs = [abs(off) for pair in pairs if (off := off_by_s(details, pair)[1]) is not None]
    on = [(each, found) for each, found in mine if not any(pair.due and pair.due.resolved_ms for pair in found)]
    silent = [each for each, found in on if [pair.due for pair in found if pair.due] != [_ALL_ALONG]]
    never = _named([each for each, _ in on])
    besides = [message("of {objectives} it never had to: whether it resolves then was not seen", objectives=never)]
    yield off_s(fact, "resolved.off_s", offs, len(pairs))
    yield fact(
        "resolved.missed", len(pairs) - len(offs), of=len(pairs), besides=(*(besides if on else ()), _scale(plan))
    )
    yield fact("resolved.silent", len(silent))


def _routes(fact: FactsOf, details: AlertDrillDetails, mine: Mine) -> Iterator[Fact]:
    """Each stretch of firing is told on each of the alert's routes, and on no other; and so is its end: of each of its
    objectives."""
    lacking = [what for each, found in mine for what in misdelivered(details, each, found)]
    count = sum(pair.seen is not None for _, found in mine for pair in found)
    silent = [each for each, found in mine if all(pair.seen is None for pair in found)]
    yield fact("routes.fired", count)
    yield fact("routes.lacking", len(lacking), of=count, examples=lacking[:5])
    yield fact("routes.silent", len(silent), objectives=_named(silent))


def _of_route(details: AlertDrillDetails, route: str, mine: Mine) -> Iterator[Fact]:
    """A receiver: what it got was what the real one takes, and of each alert that goes there. One that never fired had
    nothing to be delivered."""
    fact, got = FactsOf(PHRASES, case=route), [each for each in details.deliveries if each.route == route]
    refused = [each.flaw for each in got if each.flaw]
    wanted = [(each.alert, any(pair.seen for pair in pairs)) for each, pairs in mine if route in each.routes]
    fired = {alert for alert, once in wanted if once}
    silent = {alert for alert, _ in wanted} - {each.alert for each in got}
    lacking, quiet = sorted(silent & fired), sorted(silent - fired)
    yield fact("receiver.refused", len(refused), of=len(got), examples=(*refused[:3], *lacking))
    yield fact("receiver.got", len(got))
    yield fact("receiver.lacking", len(lacking), alerts=", ".join(lacking))
    yield fact("receiver.quiet", len(quiet), alerts=", ".join(quiet))
    yield fact("receiver.alerts", len(wanted))
