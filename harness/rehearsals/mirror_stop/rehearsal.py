"""The stepwise stop of the mirror: a pod killed with a full queue, then load, and a step for each share.

It runs what the document writes after week 4, and shows what a roll back by the flag would then lose.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.checks.mirror_facts import expected as of_steps
from harness.load.users import Users, UsersPlan
from harness.model.expected import Expected
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Facts
from harness.model.section import Section
from harness.rehearsal.mirror_steps import MirrorSteps, at_share
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.mirror_stop.facts import PHRASES, facts
from harness.rehearsals.mirror_stop.killed_pod import USER_PREFIX, Burst
from harness.rehearsals.mirror_stop.sections import figures, sections
from harness.rehearsals.mirror_stop.types import CLAIM_LOGGED, LANES_VARIABLE, MirrorStopDetails, MirrorStopPlan
from harness.rules.fact import Fact
from harness.stack.firebase.documents import Documents
from harness.stack.manifests.change import with_env
from harness.stack.protocol import StackNeeds


class MirrorStop(Rehearsal[MirrorStopPlan, MirrorStopDetails]):
    """The rehearsal."""

    name = "mirror_stop"
    plan, details = MirrorStopPlan, MirrorStopDetails
    phrases, ruled_by = PHRASES, ("mirror_stop", "mirror_steps")

    def expected(self, plan: MirrorStopPlan, facts: Facts) -> Iterable[Expected]:
        """The pod, and each step."""
        killed_pod = Expected("", "mirror.killed_pod", CLAIM_LOGGED)
        return (killed_pod, *of_steps(plan.shares_percent), *super().expected(plan, facts))

    def arrange(self, plan: MirrorStopPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack that mirrors the first share. Nothing of it may be one that was kept: parts of it are broken."""
        _ = options
        return StackNeeds(manifests=_at(manifests, plan, plan.shares_percent[0]), use_kept=False)

    async def run(self, plan: MirrorStopPlan, on: Running[MirrorStopDetails]) -> None:
        """The pod, then the steps."""
        await on.up()
        users = Users(on, UsersPlan(population=plan.population, seed=on.options.seed))
        await users.set_flag(on=True)
        endpoints = on.stack.endpoints()
        documents = Documents(endpoints.firestore, endpoints.project_id)
        on.at_end(documents.close)
        await _kill_a_pod(plan, on, documents)
        await users.admit()
        await users.go()
        on.mark("admitted")
        steps = MirrorSteps(
            on, documents, settle_s=plan.settle_s, counts=lambda _, user: not user.startswith(USER_PREFIX)
        )
        for share in plan.shares_percent:
            on.details.steps.append(await steps.to(share, _at(on.manifests, plan, share), plan.step_s))

    def measured(self, plan: MirrorStopPlan, seen: Seen[MirrorStopDetails]) -> Iterable[Fact]:
        """From the details alone."""
        _ = plan
        return facts(seen.details)

    def sections(self, plan: MirrorStopPlan, seen: Seen[MirrorStopDetails]) -> Iterable[Section]:
        """The steps, and what each user would lose."""
        _ = plan
        return sections(seen.details)

    def figures(self, plan: MirrorStopPlan, seen: Seen[MirrorStopDetails]) -> Iterable[Figure]:
        """By share."""
        return figures(seen.details, plan.shares_percent)


def _at(manifests: Manifests, plan: MirrorStopPlan, share: int) -> Manifests:
    """The manifests with that share mirrored, in so many lanes."""
    return with_env(at_share(manifests, share), **{LANES_VARIABLE: str(plan.lanes)})


async def _kill_a_pod(plan: MirrorStopPlan, on: Running[MirrorStopDetails], documents: Documents) -> None:
    said = message("Firestore paused, {walks} walks written, a pod killed", walks=str(plan.burst.walks))
    on.phase("burst", said)
    burst = Burst(on.stack, documents, on.clock, plan=plan, seed=on.options.seed, logs=on.folder / "logs")

    def pod() -> str | None:
        return next((e.subject for e in on.evidence.events if e.kind == "pod" and "SIGKILL" in e.message), None)

    first = _at(on.manifests, plan, plan.shares_percent[0])
    on.details.killed_pod = await burst.run(pod, lambda: on.stack.apply(first))
    on.part_over("")


REHEARSAL = MirrorStop()
