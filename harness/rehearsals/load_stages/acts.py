"""The steps of the load stages, made on a stack: what each leaves is a fact for the judge."""

from __future__ import annotations

from harness.load.stages.admit import StepUsers
from harness.model.manifests import Manifests
from harness.model.message import Message, joined, message
from harness.model.stack import Capability
from harness.model.step import Arrivals, Step
from harness.rehearsal.running import Running
from harness.rehearsals.load_stages.judge import knee_of, limits_of, tried_of
from harness.rehearsals.load_stages.judge_knee import Tried, next_rate
from harness.rehearsals.load_stages.judge_steps import result_of
from harness.rehearsals.load_stages.measure import Measuring, used_by, used_on_this_machine
from harness.rehearsals.load_stages.types import LoadStagesDetails, LoadStagesPlan, PhotosPlan, StepResult
from harness.report.words import VERDICT
from harness.stack.manifests.cpu import scaled


class Acts:
    """The steps on a stack that is up with ``manifests``."""

    def __init__(self, plan: LoadStagesPlan, on: Running[LoadStagesDetails], manifests: Manifests) -> None:
        self._plan = plan
        self._on = on
        self._manifests = manifests
        self._measuring: Measuring | None = None

    async def admit(self) -> None:
        """Signs the accounts in."""
        plan, on = self._plan, self._on
        users = StepUsers(
            on,
            seed=on.options.seed,
            accounts=plan.accounts,
            workers=plan.workers,
            request_timeout_s=plan.request_timeout_s,
        )
        load = await users.load()
        on.mark("admitted")
        self._measuring = Measuring(load, on.evidence, on.stack.endpoints(), on.clock, self._used_s)

    def _used_s(self) -> dict[int, float]:
        """The seconds of CPU that are looked at while what a step left is worked off, by process id."""
        on = self._on
        on_a_cluster = Capability.REAL_KUBERNETES in on.stack.capabilities
        return used_on_this_machine() if on_a_cluster else used_by(on.run_id)

    @property
    def measuring(self) -> Measuring:
        """What makes the steps, once the accounts are signed in."""
        assert self._measuring is not None, "nobody is signed in yet"
        return self._measuring

    async def step(self, step: Step, pods: int) -> StepResult:
        """Makes a step, and tells what it came to."""
        on = self._on
        on.evidence.event(on.clock.now_ns(), "phase", "step", step.name, pods=pods)
        on.begin(message("{step}, {pods} pods", step=step.name, pods=str(pods)), lasts_s=step.seconds)
        made = await self.measuring.step(step, pods)
        on.details.made.append(made)
        result = result_of(made, on.evidence.ledger, limits_of(self._plan), on.options.seed)
        on.say(
            message(
                "{step}, {pods} pods: {offered}/s offered, {answered}/s answered, {verdict}: {why}",
                step=step.name,
                pods=str(pods),
                offered=f"{result.figures.offered_per_s:.1f}",
                answered=f"{result.figures.answered_per_s:.1f}",
                verdict=Message(text=VERDICT[result.verdict]),
                why=joined(result.told),
            )
        )
        await self.measuring.settle()
        return result

    async def knees(self) -> None:
        """A search for each number of pods; of the first once more while photos are uploaded."""
        on, plan, factor = self._on, self._plan.knee, self._on.details.knee_cpu_factor
        if plan.pods and factor != 1:
            on.say(
                message(
                    "for the knees CPU requests and limits are multiplied by {factor}: the pods together get {share} "
                    "% of the machine",
                    factor=f"{factor:.3f}",
                    share=f"{plan.cpu_share * 100:g}",
                )
            )
            await on.stack.apply(scaled(self._manifests, factor / on.stack.cpu_factor, raw=True))
        for pods in plan.pods:
            await self._knee(pods)
        if plan.photos is not None and plan.pods:
            await self._knee(plan.pods[0], plan.photos)

    async def _knee(self, pods: int, photos: PhotosPlan | None = None) -> None:
        on, plan = self._on, self._plan
        on.begin(message("scaling to {count} pods", count=str(pods)))
        await on.stack.scale(pods)
        await self._warm_up(pods)
        photos_per_s = 0.0 if photos is None else photos.rate_per_s
        tried: list[Tried] = []
        while (rate := next_rate(plan.knee, plan.capacity.rate_per_s, tried)) is not None:
            step = Step(
                name=f"knee_{pods}_{'photos_' if photos_per_s else ''}{len(tried) + 1}",
                arrivals=Arrivals.POISSON,
                rate_per_s=rate,
                users=plan.accounts,
                seconds=plan.knee.step_s,
                photos_per_s=photos_per_s,
                photo_bytes=0 if photos is None else photos.bytes,
            )
            tried.append(tried_of(await self.step(step, pods)))
        found = knee_of(plan, pods, photos_per_s, tried, on.details.knee_cpu_factor)
        on.say(message("knee of {pods} pods: {why}", pods=str(pods), why=joined(found.told)))

    async def _warm_up(self, pods: int) -> None:
        seconds, users, on = self._plan.knee.warm_up_s, self._plan.accounts, self._on
        step = Step(
            name=f"warm_up_{pods}",
            arrivals=Arrivals.EVEN,
            rate_per_s=users / seconds,
            users=users,
            seconds=seconds,
            reopen=True,
        )
        on.evidence.event(on.clock.now_ns(), "phase", "step", step.name, pods=pods)
        await self.measuring.unjudged(step)
        await self.measuring.settle()
