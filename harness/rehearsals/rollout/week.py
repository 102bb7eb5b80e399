"""A week of the document's staged rollout: its users on the API for a window, judged, advanced, held or rolled back.

A week under way: the window with its load and faults, judged as it runs, the roll back, the checkers' word.
The faults of a week's window, each in its time. Planted is what the stack let in while the window lasted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from harness.base.clock import NS, Anchor
from harness.base.errors import PartDied
from harness.base.message import as_message
from harness.checks import answered
from harness.checks.as_printed import applied, as_printed
from harness.checks.invariants import OFF, Invariants, switch_over_result
from harness.checks.isolation import wrong_answers
from harness.checks.mirror_losses import structured
from harness.checks.off_in_time import not_whole_since
from harness.checks.read_facts import judged_reads
from harness.checks.walk_results import READS, as_answered
from harness.load.population.schedule import answered_by, due_list, on_api, requests_due
from harness.load.users import Users, users_of
from harness.model.evidence import NOTHING_DUE, WAITED, DueList, EventRow, ProbeRow, RequestRow, Row, Window
from harness.model.judgement import DECISION, Decision, Expected, Judgement, Kind, Verdict
from harness.model.manifests import Manifests
from harness.model.message import Message, Told, message, quantity
from harness.model.result import RunInfo
from harness.model.scenario import Scenario
from harness.model.section import Section
from harness.model.stack import PROXY_FAULTS, Capability, Fault
from harness.rehearsals.rollout.expected import beside, deciding, not_exercised
from harness.rehearsals.rollout.facts import PHRASES, facts
from harness.rehearsals.rollout.observed import ObservedWindow, WeekDetails, moment, observed
from harness.rehearsals.rollout.sections import week_sections
from harness.report.terminal import under_way
from harness.rules import flag_log
from harness.rules.chance import preflight_sentences
from harness.rules.criteria import judge
from harness.rules.judged import CHECK_EVENT, FAULTS, combine, event, of_event
from harness.rules.ledger import Ledger
from harness.rules.machine_share import CROWDED_FROM
from harness.rules.rule import Fact, FactsOf
from harness.rules.sentences import about
from harness.rules.switch_over import SwitchOver, switch_over
from harness.run.closing import measure_stores
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord, patch_errata
from harness.run.result import accounted, measurement
from harness.stack.protocol import StackNeeds, Undo

# The checkers' word on a week, as its run told it and as its rows say it again. Pure.


def checks(plan: Scenario, seen: RunRecord[WeekDetails]) -> Iterator[Judgement]:
    """The checks of the flag, of the faults, of the stores and of the manifests. Raises ``BadInput`` for evidence that
    another harness wrote."""
    rows, week, due = seen.evidence.rows, observed(seen.evidence.events), NOTHING_DUE
    if (window := week.planned) is not None:
        at = moment(rows, seen.details, window)
        whole = at.at_ns >= window.end_ns
        due = due_list(plan, week.seed, window.start_ns, window.end_ns) if whole else NOTHING_DUE
        _, flag = flag_log.of_rows(rows[: at.rows])
        whole = whole and not week.rolled_back
        yield from of_flag(plan, week.seed, flag, window, at.at_ns, whole=whole)
        yield from () if week.rolled_back else unplanted(plan, seen.details.planted)
    yield from _told(plan, week, rows, seen.facts.anchor, due)
    yield from patch_errata(seen.details)
    if seen.details.applied is not None:
        yield from as_printed(seen.details.applied, own=seen.facts.own_manifests)


def of_flag(
    plan: Scenario, seed: int, flag: flag_log.FlagLog, window: Window, at_ns: int, *, whole: bool
) -> tuple[Judgement, ...]:
    """The flag's checks at ``at_ns``, with what everybody had due in ``window`` and must be in evidence by then."""
    end_ns = answered_by(window, at_ns, plan.request_timeout_s, whole=whole)
    return flag.results(plan, at_ns, requests_due(plan.population, seed, window.start_ns, end_ns))


def unplanted(plan: Scenario, planted: Iterable[Fault]) -> Iterator[Judgement]:
    """Inconclusive where a fault of the plan was not injected in its window, which shows nothing of it then."""
    left = Counter(plan.faults) - Counter(planted)
    if left:
        told = tuple(
            message("the run left no word that it was injected in the window: {fault}", fault=fault.told)
            for fault in left.elements()
        )
        yield Judgement(id=FAULTS, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=told)


def switched_of(plan: Scenario, rows: Sequence[Row], week: ObservedWindow) -> SwitchOver | None:
    """How far the clients of a week that was rolled back are on Firestore again, as it was judged; ``None`` of one that
    was not rolled back, or broke before."""
    for number, row in enumerate(rows):
        if week.off is not None and isinstance(row, EventRow) and (row.kind, row.subject) == (CHECK_EVENT, OFF):
            return _switched(plan, week.seed, rows[:number], week.off)
    return None


def _switched(plan: Scenario, seed: int, rows: Iterable[Row], off: EventRow) -> SwitchOver:
    ledger = Ledger()
    ledger.extend(rows)
    return switch_over(ledger, off.at_ns, on_api(plan.population, seed), plan.switch_over_limit_s)


def _told(
    plan: Scenario, week: ObservedWindow, rows: Sequence[Row], anchor: Anchor, due: DueList
) -> Iterator[Judgement]:
    """The checks that the run told of, in their order: judged again where the rows say it, with what was ``due`` in a
    window that was judged whole; those of the stores as they were told, for the stores are gone.
    """
    answers = wrong_answers(rows)
    for number, row in enumerate(rows):
        if not isinstance(row, EventRow) or row.kind != CHECK_EVENT:
            continue
        before = rows[:number]
        requests = [each for each in before if isinstance(each, RequestRow)]
        if row.subject == OFF and week.off is not None:
            unseen = not_whole_since(requests, on_api(plan.population, week.seed), week.off.at_ns)
            yield switch_over_result(_switched(plan, week.seed, before, week.off), unseen)
        elif row.subject == READS and week.planned is not None:
            yield judged_reads(
                requests,
                [each for each in before if isinstance(each, ProbeRow)],
                plan,
                seed=week.seed,
                anchor_unix_ns=anchor.unix_ns,
                bucket=week.bucket,
                due=due,
            )
        else:
            yield as_answered(of_event(row), answers)


#: For how long the preflight measures the machine.
MACHINE_MEASURED_S = 5.0


class Week:
    """One week's run. What it learns stands in the evidence; ``decision`` is ``None`` until it has decided."""

    def __init__(self, plan: Scenario, on: RunContext[WeekDetails]) -> None:
        self._plan = plan
        self._on = on
        self._users = Users(on, users_of(plan, on.options.seed))
        self._planting = Planting(plan.faults, on)
        self._window: Window | None = None
        self._due: DueList | None = None  # of the whole window, once it has begun
        self._results: tuple[Judgement, ...] = ()
        self._checks: tuple[Judgement, ...] = ()
        self._judged_ns = 0
        self.decision: Decision | None = None

    async def run(self) -> None:
        """The steps in order; each may raise."""
        for line in preflight_sentences(self._plan, every=self._on.progress.detail == "all"):
            self._on.progress.plain(f"  {self._on.language.message(line)}")
        await self._measure_machine()
        if Capability.REAL_PROCESSES in self._on.stack.capabilities:  # else only the number of pods is applied
            self._on.details.patches = tuple(each for each in self._on.manifests.patches if each.erratum)
            self._on.details.applied = applied(self._on.manifests)
            self._on.details.cpu_factor = self._on.stack.cpu_factor
        await self._on.up()
        await self._users.set_flag(on=True)
        await self._admit()
        window = await self._begin()
        await self._hold(window)
        if self.decision is None:
            await self._users.answered(window)
        await self._conclude()

    async def _measure_machine(self) -> None:
        """Says how busy the machine is before the stack comes up, where a criterion heeds it (``crowded_limit_ms``)."""
        if all(each.crowded_limit_ms is None for each in self._plan.criteria):
            return
        before = self._on.environment.processors()
        if WAITED not in before:
            return
        self._on.begin(message("measuring the machine"), lasts_s=MACHINE_MEASURED_S)
        await self._on.clock.sleep(MACHINE_MEASURED_S)
        waited = (self._on.environment.processors()[WAITED] - before[WAITED]) / MACHINE_MEASURED_S
        told = message(
            "this machine: for {share} of {seconds} s something waited for a processor",
            share=f"{min(1.0, waited):.0%}",
            seconds=f"{MACHINE_MEASURED_S:g}",
        )
        if waited >= CROWDED_FROM:
            told = message("{measured}; a slow answer may be the machine's, and may hold the week", measured=told)
        self._on.progress.plain(f"  {self._on.language.message(told)}")

    async def _admit(self) -> None:
        signing_in = message("signing in {count} simulated users", count=str(self._plan.population.users))
        self._on.phase("admission", signing_in)
        await self._users.admit()
        self._on.mark("admitted")

    async def _begin(self) -> Window:
        """Lets everybody go; the window begins with the first request."""
        plan, seed = self._plan, self._on.options.seed
        start_ns = await self._users.go()
        self._window = window = Window(start_ns=start_ns, end_ns=start_ns + int(plan.window_s * NS))
        self._due = self._users.due(window)
        measuring = message("measuring for {seconds} s", seconds=f"{plan.window_s:g}")
        bucket = self._on.stack.endpoints().storage_bucket
        span = {"start_ns": window.start_ns, "end_ns": window.end_ns}
        self._on.phase("window", measuring, lasts_s=plan.window_s, seed=seed, bucket=bucket, **span)
        return window

    async def _hold(self, window: Window) -> None:
        """Load, probes and faults for the window; a rollback limit that fires ends it at once."""
        clock = self._on.clock
        self._planting.begin(window)
        try:
            while clock.now_ns() < window.end_ns:
                await clock.sleep(min(1.0, max(0.01, (window.end_ns - clock.now_ns()) / NS)))
                self._planting.look()
                if self._fired():
                    self._planting.close()
                    await self._roll_back()
                    return
        finally:
            await self._planting.end()

    async def _conclude(self) -> None:
        """The final judgement of a window that ran to its end, and the checkers' word on the run."""
        if self.decision is None and self._fired():
            await self._roll_back()
        if self.decision is None:
            self._checks = self._of_flag(whole=True)
            judged = message("the window is judged")
            self._on.evidence.event(self._on.clock.now_ns(), "phase", "judged", judged, judged_ns=self._judged_ns)
        await self._check_stores()
        if self.decision is None:
            on, of = self._on, self._on.options
            asked = answered.ReadAnswers(
                on.evidence.requests, self._plan.population, of.seed, on.clock.anchor, of.target.keeps
            )
            self._checks += tuple(answered.judged(asked))
            seen = (*self._results, *self._checks)
            absent = [*accounted(deciding(self._plan), seen)][len(seen) :]
            others = (*self._checks, *unplanted(self._plan, self._on.details.planted), *absent)
            others += tuple(measurement(self._on.evidence))
            self._decide(combine((*self._results, *others)), [each for each in others if each.holds])

    async def _roll_back(self) -> None:
        """ロールバック手順: the flag off by Remote Config, then every client's first request on Firestore awaited."""
        on = self._on
        self._checks = self._of_flag(whole=False)
        self._decide(Decision.ROLL_BACK, [each for each in self._results if each.fired])
        published_ns = await self._users.set_flag(on=False)
        clients = on_api(self._plan.population, on.options.seed)
        found = await self._users.all_back(clients, published_ns, self._plan.switch_over_limit_s)
        self._tell(switch_over_result(found))
        on.mark("switched_over")

    async def _check_stores(self) -> None:
        """Ends the load and every fault, and asks the checkers that stand outside what they check."""
        on = self._on
        on.begin(message("ending the load; checking what the stores hold against what was acknowledged"))
        await self._planting.undo()
        await self._users.stop()
        on.evidence.gather()
        on.mark("load_ended")
        await measure_stores(on)
        if Capability.REAL_PROCESSES in on.stack.capabilities:  # else a pod has no log
            logs = (on.folder / "logs").glob("*.log")
            on.details.logged = tuple(sorted(log.stem for log in logs if structured(log.read_bytes().splitlines())))
        invariants = Invariants(
            on.stores,
            on.evidence,
            on.clock,
            scenario=self._plan,
            manifests=on.manifests,
            seed=on.options.seed,
            due=self._due if self.decision is None and self._due is not None else NOTHING_DUE,
        )
        self._tell(*await invariants.results())
        on.mark("checked")

    def _of_flag(self, *, whole: bool) -> tuple[Judgement, ...]:
        assert self._window is not None
        flag, seed = self._on.evidence.flag, self._on.options.seed
        return of_flag(self._plan, seed, flag, self._window, self._judged_ns, whole=whole)

    def _tell(self, *found: Judgement) -> None:
        for check in found:
            self._on.evidence.add([event(self._on.clock.now_ns(), check)])
        self._checks += found

    def _fired(self) -> bool:
        """Judges the growing evidence; true when a rollback limit fired."""
        assert self._window is not None
        on, details = self._on, self._on.details
        on.evidence.gather()
        self._judged_ns = now_ns = on.clock.now_ns()
        lacking = not_exercised(self._plan, on.stack.capabilities)
        of = partial(judge, self._plan, on.evidence.ledger, self._window, now_ns, due=self._due, not_exercised=lacking)
        self._results = of(glance=(goes_on := now_ns < self._window.end_ns))
        if goes_on and any(each.fired for each in self._results):
            self._results = of()
        details.judged_ns, details.judged_rows = now_ns, len(on.evidence.rows)
        on.update_progress(*self._live(), rows=under_way(self._results, on.language))
        return any(each.fired for each in self._results)

    def _live(self) -> Iterator[Message]:
        for criterion, each in zip(self._plan.criteria, self._results, strict=True):
            if each.value is not None and each.kind is Kind.CRITERION:
                yield message(
                    "{metric} {value} (n={count})",
                    metric=about(criterion),
                    value=quantity(each.value, each.unit),
                    count=str(each.samples),
                )

    def _decide(self, decision: Decision, because: Sequence[Judgement]) -> None:
        self.decision = decision
        self._on.mark("decision")
        # With the moment of the judgement, so that the same rows judged again give the same to the digit.
        told = tuple(part for each in because for part in _with_id(each))
        now_ns = self._on.clock.now_ns()
        said = told or as_message(DECISION[decision])
        self._on.evidence.event(now_ns, "decision", decision, said, judged_ns=self._judged_ns)


def _with_id(each: Judgement) -> Told:
    """Why it is what it is, beginning with its id."""
    first, *more = each.told
    return (message("{what}: {why}", what=each.id, why=first), *more)


#: How long a fault that is being injected or undone as the window ends is waited for, s.
LIMIT_S = 120.0


class Planting:
    """``begin`` lets their time run, ``close`` says that the window is over, ``end`` leaves none half planted."""

    def __init__(self, faults: Sequence[Fault], on: RunContext[WeekDetails]) -> None:
        self._faults = faults
        self._on = on
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []
        self._acting: set[asyncio.Task[Any] | None] = set()  # injecting or undoing: half of it nobody undoes
        self._undo: list[Undo] = []

    def begin(self, window: Window) -> None:
        """From now on each is injected, and ended, when the plan says."""
        self._tasks = [asyncio.ensure_future(self._inject(fault, window)) for fault in self._faults]

    def look(self) -> None:
        """Raises what befell one of them."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def close(self) -> None:
        """The window is over: none is begun any more, and one that comes to be planted is undone."""
        self._over = True

    async def end(self) -> None:
        """Gives up those whose time has not come, and waits for what is being injected or undone. Raises what befalls
        one of them, and ``PartDied`` for one that does not end within ``LIMIT_S``.
        """
        self.close()
        waiting = {task: fault for task, fault in zip(self._tasks, self._faults, strict=True) if not task.done()}
        for task in waiting:
            if task not in self._acting:
                task.cancel()
        try:
            hanging = (await asyncio.wait(waiting, timeout=LIMIT_S))[1] if waiting else set()
        finally:
            for task in waiting:
                task.cancel()
        if hanging:
            names = ", ".join(str(fault) for task, fault in waiting.items() if task in hanging)
            raise PartDied(
                message(
                    "{names}: neither injected nor undone within {limit_s} s of the window's end",
                    names=names,
                    limit_s=f"{LIMIT_S:g}",
                )
            )
        self.look()

    async def undo(self) -> None:
        """Ends every fault that there is."""
        for undo in self._undo:
            await undo()

    async def _inject(self, fault: Fault, window: Window) -> None:
        clock, task = self._on.clock, asyncio.current_task()
        await clock.sleep((window.start_ns - clock.now_ns()) / NS + fault.after_s)
        if self._over:
            return
        self._acting.add(task)
        undo = await self._plant(fault, window)
        self._acting.discard(task)
        if undo is not None and fault.for_s:
            await clock.sleep(fault.for_s)
            self._acting.add(task)
            await undo()
            self._on.say(message("fault ended: {fault}", fault=fault.told))

    async def _plant(self, fault: Fault, window: Window) -> Undo | None:
        """Its undo; ``None`` of one that was undone again, for the window had ended."""
        on = self._on
        undo = await on.stack.inject(fault)
        self._undo.append(undo)
        on.add_finalizer(undo)
        if self._over or on.clock.now_ns() >= window.end_ns:
            await undo()
            late = message("fault injected only after the window had ended, and undone: {fault}", fault=fault.told)
            on.say(late)
            return None
        on.details.planted = (*on.details.planted, fault)
        on.say(message("fault injected: {fault}", fault=fault.told))
        return undo


class RolloutWeek(Rehearsal[Scenario, WeekDetails]):
    """The rehearsal; its plan is a scenario."""

    name, decides = "rollout_week", True
    plan, details = Scenario, WeekDetails
    phrases, ruled_by = PHRASES, ("checks", "rollout_week", "answers")

    def expected(self, plan: Scenario, facts: RunInfo) -> Iterable[Expected]:
        """What it is decided by, and what is told beside."""
        of_answers = () if facts.keeps is None else answered.EXPECTED
        return (*deciding(plan), *of_answers, *beside(plan, facts.capabilities))

    def needs(self, plan: Scenario) -> Mapping[str, Iterable[Capability]]:
        """What its faults are done with."""
        return {"": (Capability.POD_SIGNALS,) if {each.kind for each in plan.faults} - PROXY_FAULTS else ()}

    def stack_spec(self, plan: Scenario, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack as the manifests have it, with a place for faults where the plan has any."""
        _ = options
        return StackNeeds(manifests=manifests, fault_proxy=any(each.kind in PROXY_FAULTS for each in plan.faults))

    async def run(self, plan: Scenario, on: RunContext[WeekDetails]) -> None:
        """Holds the window, decides, and carries out the roll back."""
        await Week(plan, on).run()

    def measured(self, plan: Scenario, seen: RunRecord[WeekDetails]) -> Iterable[Fact]:
        """The criteria as of the moment at which the run decided, what else the week shows, and the checkers' word."""
        yield from facts(plan, seen)
        back = switched_of(plan, seen.evidence.rows, observed(seen.evidence.events))
        if back is not None and back.last_s is not None:
            yield FactsOf(PHRASES)("switched.last_s", back.last_s, of=back.clients)

    def checks(self, plan: Scenario, seen: RunRecord[WeekDetails]) -> Iterable[Judgement]:
        """Of the flag, of the faults, of the stores and of the manifests."""
        return checks(plan, seen)

    def sections(self, plan: Scenario, seen: RunRecord[WeekDetails]) -> Iterable[Section]:
        """The plan, the course, the events."""
        return week_sections(plan, seen)


REHEARSAL = RolloutWeek()
