"""The errata that the document's commands show: those that were seen, each once, with what was seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from harness.base.data import KUBERNETES
from harness.base.ticks import NS
from harness.model.command import Ran
from harness.model.judgement import Judgement, Verdict
from harness.model.parts import PartRun
from harness.rehearsals.scaling.facts_sizes import commands
from harness.rehearsals.scaling.rehearsal import REHEARSAL, Commands
from harness.rehearsals.scaling.types import (
    Commanded,
    Effect,
    ScalingDetails,
    ScalingPart,
    ScalingPartKind,
    ScalingPlan,
)
from harness.rules.resizes import Resize
from harness.run import result as conclude
from tests.register import ERRATA
from tests.rehearsal.made import by_id, seen
from tests.scaling.made import of, ruled

PUTS_BACK, TAKES_BACK = "scaling.hpa_puts_back", "scaling.hpa_takes_back"
BESIDE = "manifest.deployment.replicas_beside_hpa"
PART = ScalingPart(name="c", kind=ScalingPartKind.COMMANDS, title="", claims=())


def effect(command: str, pods: int, at_s: float, *, autoscaler: bool = True, after_s: float | None = 9.0) -> Effect:
    return Effect(command=command, autoscaler=autoscaler, pods=pods, after_s=after_s, at_ns=round(at_s * NS))


def resize(at_s: float, size: int) -> Resize:
    return Resize(at_ns=round(at_s * NS), size=size, reason="All metrics below target")


def errata(did: Commanded, resizes: Sequence[Resize] = ()) -> list[Judgement]:
    """What is told of errata that were seen."""
    ids = [id_ for id_ in REHEARSAL.rules if id_.startswith("erratum:")]
    return ruled(PART, ids, commands(of(PART), did, resizes))


SCALE, APPLY = "kubectl scale d --replicas=8", "kubectl apply -f f (replicas: 2)"


@pytest.mark.parametrize(
    ("effects", "resizes", "shown"),
    [
        ([effect(SCALE, 8, 0)], [resize(20, 2)], {TAKES_BACK}),
        ([effect(APPLY, 2, 0)], [resize(20, 8)], {BESIDE, PUTS_BACK}),
        ([effect(SCALE, 8, 0), effect(APPLY, 2, 30)], [resize(20, 2), resize(45, 8)], {TAKES_BACK, BESIDE, PUTS_BACK}),
        ([effect(SCALE, 8, 0), effect(APPLY, 2, 30)], [], {BESIDE}),
        ([effect(SCALE, 8, 0)], [], set()),
        ([effect(SCALE, 8, 0)], [resize(20, 8)], set()),
        ([effect(SCALE, 8, 0, autoscaler=False)], [resize(20, 2)], set()),  # nobody is there to take it back
        ([effect(SCALE, 8, 0, after_s=None)], [resize(20, 2)], set()),  # it never came to that number
        ([effect(SCALE, 8, 0, after_s=None), effect(APPLY, 2, 30, after_s=0)], [], set()),  # nothing was cut back
        ([effect(APPLY, 2, 0, autoscaler=False), effect(APPLY, 8, 30)], [], set()),
        ([effect(APPLY, 2, 0), effect(SCALE, 8, 30), effect(APPLY, 2, 60)], [resize(50, 9)], {BESIDE}),
        ([effect(APPLY, 2, 0, autoscaler=False), effect(SCALE, 8, 30)], [resize(50, 9)], set()),  # asked for yet more
        ([effect(SCALE, 8, 0), effect(APPLY, 2, 30)], [resize(50, 1)], {BESIDE}),
    ],
)
def test_what_the_autoscaler_does_to_a_number_set_by_hand(
    effects: list[Effect], resizes: list[Resize], shown: set[str]
) -> None:
    found = errata(Commanded(begun_ns=0, ran={}, effects=tuple(effects)), resizes)
    assert {each.erratum for each in found} == shown
    assert shown <= set(ERRATA)
    assert all("with the HPA" in each.reason and not each.gates for each in found)


def test_the_refused_secret_is_told_in_the_api_server_s_words() -> None:
    refused = "Secret in version v1 cannot be handled as a Secret: illegal base64 data at input byte 4"
    refused = "Error from server (BadRequest): " + refused
    [found] = errata(Commanded(begun_ns=0, ran={"apply folder": ran(f"service created\n{refused}", 1)}))
    assert found.erratum == "manifest.secret.placeholders_not_base64" and refused in found.reason
    assert found.erratum in ERRATA
    for done in ({"apply folder": ran("secret created")}, {}):
        assert errata(Commanded(begun_ns=0, ran=done)) == []


ALL_BUT = "pod/a\nservice/a\ndeployment.apps/a\nreplicaset.apps/a\nhorizontalpodautoscaler.autoscaling/a"
FOUR = "\nconfigmap/a\nsecret/a\nserviceaccount/a\npoddisruptionbudget.policy/a"


def ran(output: str, status: int = 0, command: str = "kubectl get all") -> Ran:
    return Ran(command=command, status=status, output=output)


@pytest.mark.parametrize(
    ("everything", "service", "verdict", "words"),
    [
        (ran(ALL_BUT), ran("a  LoadBalancer"), Verdict.PASS, "does not show: ServiceAccount, ConfigMap, Secret"),
        (ran(ALL_BUT + FOUR), ran("a  LoadBalancer"), Verdict.PASS, "does not show: none"),
        (ran(ALL_BUT.replace("horizontal", "")), ran("a"), Verdict.FAIL, "Secret, HorizontalPodAutoscaler"),
        (ran("No resources found in tekutoko namespace."), ran("a"), Verdict.FAIL, "not show: Deployment, Service, "),
        (ran(ALL_BUT), ran("", 1), Verdict.FAIL, "status 1"),
        (ran("", 1), ran("a"), Verdict.FAIL, "status 1"),
        (None, ran("a"), Verdict.INCONCLUSIVE, "not run: get all"),
    ],
)
def test_get_all_is_held_against_what_was_applied(
    everything: Ran | None, service: Ran, verdict: Verdict, words: str
) -> None:
    said = {"apply folder": ran("created"), "get svc": service} | ({"get all": everything} if everything else {})
    [found] = ruled(PART, ["operations.confirm"], commands(of(PART), Commanded(begun_ns=0, ran=said)))
    assert found.verdict is verdict and words in found.reason


PODS = "NAME READY STATUS\na 2/2 Running 0\nb 2/2 Running 0\n"


@pytest.mark.parametrize(
    ("logs", "pods", "verdict"),
    [
        (ran("Found 2 pods, using pod/a\n{}"), ran(PODS), Verdict.ERRATUM_SHOWN),
        (ran("{}"), ran(PODS.replace("b 2/2 Running 0\n", "")), Verdict.PASS),
        (ran("{}"), ran(PODS), Verdict.INCONCLUSIVE),
        (ran("", 1), ran(PODS), Verdict.FAIL),
        (None, ran(PODS), Verdict.INCONCLUSIVE),
    ],
)
def test_the_logs_command_follows_one_pod_of_several(logs: Ran | None, pods: Ran, verdict: Verdict) -> None:
    said = {"get pods": pods} | ({"logs": logs} if logs else {})
    [found] = ruled(PART, ["monitoring.logs_command"], commands(of(PART), Commanded(begun_ns=0, ran=said)))
    assert found.verdict is verdict


@pytest.mark.parametrize(("low_s", "without"), [(3.0, 4), (None, 1)])
def test_a_number_set_by_kubectl_is_a_rise_from_the_fewest_or_not_asked_for(
    low_s: float | None, without: int, tmp_path: Path
) -> None:
    """A Deployment that asks for as many already has nothing to do; where the fewest are not reached, nothing is shown."""
    said, part = list[str](), msgspec.structs.replace(PART, low=2, high=8)

    class Kubectl:
        async def kubectl(self, *words: str, **_: object) -> Ran:
            said.append(" ".join(words))
            return Ran(command="kubectl " + said[-1], status=0, output=DEPLOYMENT)

    async def reached(pods: int) -> tuple[int, float | None]:
        return 0, low_s if pods == 2 else 1.0

    doing = Commands(
        cast(Any, Kubectl()), part, "d", document=KUBERNETES / "document", folder=tmp_path, say=lambda *_: None,
        reached=reached,
    )  # fmt: skip
    asyncio.run(doing.run())
    assert "scale deployment d --replicas=2" in said
    assert sum(not each.autoscaler for each in doing.effects) == without
    assert sum(each.autoscaler for each in doing.effects) == 4
    did = Commanded(begun_ns=0, ran=doing.ran, effects=tuple(doing.effects))
    [found] = ruled(part, ["scaling.manual.command"], commands(of(part), did))
    assert found.verdict is (Verdict.FAIL if low_s is None else Verdict.PASS)
    assert errata(msgspec.structs.replace(did, effects=did.effects[:2]), [resize(1, 9)]) == []


DEPLOYMENT = json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {}})


NOTHING = "No resources found in tekutoko namespace.\n"
HEAD = "NAME   READY   STATUS   RESTARTS   AGE\n"


@pytest.mark.parametrize(
    ("output", "verdict"), [(PODS, Verdict.PASS), (NOTHING, Verdict.FAIL), (HEAD, Verdict.FAIL), ("", Verdict.FAIL)]
)
def test_commands_that_end_in_0_and_show_nothing_show_no_claim(output: str, verdict: Verdict) -> None:
    names = ("get pods", "logs", "top pods", "get hpa", "get events", "apply hpa", "set image", "get svc")
    did = Commanded(begun_ns=0, ran={name: ran(output, command=f"kubectl {name}") for name in names})
    claims = ("monitoring.commands", "scaling.hpa.apply", "cicd.set_image")
    part = msgspec.structs.replace(PART, claims=(*claims, "operations.daily"))
    plan = ScalingPlan(name="scaling", title="", parts=(part,))
    details = ScalingDetails(runs={"c": PartRun(start_ns=0, end_ns=NS)}, did={"c": did})
    found = by_id(conclude.judged(REHEARSAL, plan, seen(details)), "c")
    assert {claim: found[claim].verdict for claim in claims} == dict.fromkeys(claims, verdict)
    assert "operations.daily" in found["monitoring.commands"].also
