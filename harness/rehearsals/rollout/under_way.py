"""A week under way: the window with its load and faults, judged as it runs, the roll back, the checkers' word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.base.clock import NS
from harness.base.message import as_message
from harness.checks.as_printed import applied
from harness.checks.invariants import Invariants, switch_over_result
from harness.checks.mirror_losses import structured
from harness.judge.chance import preflight_sentences
from harness.judge.combine import combine
from harness.judge.judge import judge
from harness.judge.judged import event
from harness.judge.machine_share import CROWDED_FROM
from harness.judge.window import Window
from harness.judge.words import about
from harness.load.population.accounts import on_api
from harness.load.users import Users, users_of
from harness.model.due import NOTHING_DUE, DueList
from harness.model.evidence import WAITED
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, message, quantity
from harness.model.scenario import Scenario
from harness.model.stack import Capability
from harness.model.verdict import Decision
from harness.model.words import DECISION
from harness.rehearsal.closing import measure_stores
from harness.rehearsal.conclude import accounted, measurement
from harness.rehearsal.facts import mending
from harness.rehearsal.running import Running
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.judge import deciding, not_exercised, of_flag, unplanted
from harness.rehearsals.rollout.planting import Planting
from harness.report.terminal import under_way

#: For how long the preflight measures the machine.
MACHINE_MEASURED_S = 5.0


class Week:
    """One week's run. What it learns stands in the evidence; ``decision`` is ``None`` until it has decided."""

    def __init__(self, plan: Scenario, on: Running[WeekDetails]) -> None:
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
            self._on.details.patches = mending(self._on.manifests)
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
        ledger = on.evidence.ledger
        self._results = judge(self._plan, ledger, self._window, now_ns, due=self._due, not_exercised=lacking)
        details.judged_ns, details.judged_rows = now_ns, len(on.evidence.rows)
        on.live(*self._live(), rows=under_way(self._results, on.language))
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
