"""What the parts do on a stack, by a clock of its own: the steps of their load that are kept for the judge."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.model.judgement import Verdict
from harness.model.scenario import ACCOUNTS, Step
from harness.rehearsals.scaling.rehearsal import ScalingActs
from harness.rehearsals.scaling.types import Manual, ScalingDetails, step_of
from tests.scaling.test_judge import MANUAL, endpoints, of_manual, pod
from tests.scaling.test_rehearsal import DRAIN
from tests.stages.made import MANIFESTS


def test_every_step_of_a_drain_s_load_is_kept_with_its_begin_once_it_was_made() -> None:
    facts, clock, asked = ScalingDetails(), VirtualClock(), list[int]()

    class Load:
        async def step(self, step: Step, start_ns: int) -> None:
            assert len(facts.steps) == len(asked)
            asked.append(start_ns)
            await clock.sleep(step.seconds + 1)

    stack, evidence = SimpleNamespace(drain=lambda **_: drained(clock)), SimpleNamespace(events=[])
    on = SimpleNamespace(
        stack=stack, clock=clock, evidence=evidence, details=facts, options=SimpleNamespace(seed=1)
    )  # fmt: skip
    acts = ScalingActs(cast(Any, on), MANIFESTS, MANIFESTS)
    acts._users = cast(Any, SimpleNamespace(load=lambda: loaded(Load())))
    clock.run(acts.run(DRAIN))
    assert facts.steps == [(step_of(DRAIN), at_ns) for at_ns in asked] and len(asked) == 3
    assert facts.users == ACCOUNTS


async def drained(clock: VirtualClock) -> Any:
    """After 25 s: the load's steps are 10 s each."""
    await clock.sleep(25)
    return SimpleNamespace(evicted=("a",), refusals=0, took_s=25.0)


async def loaded(load: Any) -> Any:
    """With everybody signed in."""
    return load


def test_by_hand_begins_with_the_fewest_whatever_the_manifests_ask_for() -> None:
    """Ten pods that the manifests ask for go first: from 2 to 8 is a rise."""
    clock, events, asked = (
        VirtualClock(),
        [endpoints(-1, 10), *(pod(-1, f"p{n}", "Ready") for n in range(10))],
        list[int](),
    )

    async def scale(pods: int) -> None:
        asked.append(pods)
        at_s = clock.now_ns() / NS + 3
        events.extend(pod(at_s, f"p{n}", "Ready" if n < pods else "Gone") for n in range(10))
        await clock.sleep(3)
        events.append(endpoints(at_s, pods))

    on = SimpleNamespace(
        stack=SimpleNamespace(scale=scale), clock=clock, evidence=SimpleNamespace(events=events),
        details=ScalingDetails(), options=SimpleNamespace(seed=1),
    )  # fmt: skip
    part = msgspec.structs.replace(MANUAL, high=8)
    did = clock.run(ScalingActs(cast(Any, on), MANIFESTS, MANIFESTS).run(part))
    assert asked == [2, 8, 2]
    assert isinstance(did, Manual)
    found = of_manual(part, did, events)
    assert {each.verdict for each in found} == {Verdict.PASS}
    assert found[0].value == 3.0
