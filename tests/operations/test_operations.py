"""The operator's page: what is read of a cluster and of a stack, what wants a look, and what a task cannot do without."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS, Anchor
from harness.base.errors import BadInput
from harness.cli.main import parse
from harness.model.judgement import Judgement, Verdict
from harness.model.message import message
from harness.model.section import Table
from harness.model.stack import Address, EnvironmentKind
from harness.rehearsals.operations.command import OperationsCommand
from harness.rehearsals.operations.facts import CLAIMS, TOPICS
from harness.rehearsals.operations.rehearsal import REHEARSAL, sections
from harness.rehearsals.operations.seen import cluster, standing
from harness.rehearsals.operations.seen.cluster import asked
from harness.rehearsals.operations.seen.facts import LogsNow, ObservedStack, Reviewed
from harness.rehearsals.operations.types import OperationsDetails, OperationsPlan, Task
from harness.run import result as conclude
from harness.stack.environments.choice import manifests_of
from harness.stack.environments.standing import StackFacts
from harness.stack.local.sampler import ProcessUsage
from harness.stack.state.lease import Lease, PartRecord
from harness.stack.state.processes import ProcessIdentity
from harness.stack.target.targets import bundled
from tests.nowhere import all_at
from tests.operations.made import DAILY, HPA, LOGS, NOW, PDB, details, pod, scaler, seen
from tests.rehearsal import made
from tests.rehearsal.made import by_id


def said(of: OperationsDetails, plan: OperationsPlan = DAILY) -> dict[str, Judgement]:
    return by_id(REHEARSAL.by_rules(plan, made.seen(of)))


def test_only_reading_commands_are_typed() -> None:
    typed = asked("app=walks")
    assert {words[0] for words in typed.values()} == {"get", "top", "logs"}
    assert {name for name, words in typed.items() if "--selector=app=walks" in words} == {"pods", "top", "logs"}


def test_pods_of_another_label_are_asked_for_and_named_where_there_are_none() -> None:
    typed = [
        "operations",
        "daily",
        "--context",
        "nobody",
        "--kubeconfig",
        str(Path(__file__).with_name("kubeconfig.yaml")),
    ]
    given, usual = parse([*typed, "--selector", "app=walks,tier in (api)"]), parse(typed)
    assert isinstance(given, OperationsCommand) and isinstance(usual, OperationsCommand)
    plan = given.planned()
    assert plan == msgspec.structs.replace(usual.planned(), selector="app=walks,tier in (api)")
    assert (usual.planned().selector, plan.context, plan.task) == ("app=tekutoko-api", "nobody", Task.DAILY)
    found = said(OperationsDetails(observed=seen(pods=[])), plan)["operations.daily"]
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "pods labelled app=walks,tier in (api) (--selector names another label)" in found.reason


def test_what_is_read_of_a_healthy_cluster() -> None:
    observed = seen()
    first, second = observed.pods
    assert (first.name, first.ready, first.restarts, first.why, first.node) == (
        "api-1", True, 1, "OOMKilled (137)", "worker",
    )  # fmt: skip
    assert (first.cores, first.memory_bytes, first.asked_cores) == (0.012, 90 * 2**20, 0.6)
    assert second.asked_memory_bytes == 640 * 2**20 and first.restarted_s == 7 * 86_400
    assert observed.autoscalers is not None
    assert observed.autoscalers[0].uses == (("cpu", 12, 70), ("memory", 30, 80))
    assert observed.logs == LogsNow(lines={"INFO": 2, "": 1})
    assert observed.unread == ()
    found = said(details())
    assert {each.verdict for each in found.values()} == {Verdict.PASS} and len(found) == 7


#: One of each kind of a metric but Resource, with each kind of target that it can have.
EXTERNAL = {"metric": {"name": "http_p95_ms", "selector": {"matchLabels": {"app": "a"}}}, "target": {"value": "500"}}
METRICS: dict[str, tuple[Any, Any]] = {
    "resource": (
        {"name": "memory", "target": {"type": "AverageValue", "averageValue": "400Mi"}},
        {"name": "memory", "current": {"averageUtilization": 17, "averageValue": "90Mi"}},
    ),
    "containerResource": (
        {"name": "cpu", "container": "api", "target": {"type": "Utilization", "averageUtilization": 60}},
        {"name": "cpu", "container": "api", "current": {"averageUtilization": 7, "averageValue": "35m"}},
    ),
    "pods": (
        {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "100"}},
        {"metric": {"name": "requests"}, "current": {"averageValue": "0"}},
    ),
    "object": (
        {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "main"}, "target": {"value": "2k"}},
        {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "main"}, "current": {"value": "9"}},
    ),
    "external": (EXTERNAL, {"metric": EXTERNAL["metric"], "current": {"value": "120"}}),
}


def test_every_kind_of_a_metric_is_read_and_shown() -> None:
    observed = seen(hpa=[scaler(metrics=METRICS)])
    assert observed.autoscalers is not None
    assert observed.autoscalers[0].uses == (
        ("memory", "90Mi", "400Mi"),
        ("api cpu", 7, 60),
        ("requests", "0", "100"),
        ("Ingress/main hits", "9", "2k"),
        ("http_p95_ms", "120", "500"),
    )
    of = OperationsDetails(observed=observed)
    assert said(of)["attention.autoscaler"].verdict is Verdict.PASS
    assert "api cpu 7 % / 60 %, requests 0 / 100" in str([*sections(of)])
    assert msgspec.convert(msgspec.to_builtins(of), OperationsDetails) == of, "a stored run reads the same"


def test_metrics_of_one_name_are_told_apart() -> None:
    """By what they select: that one is known says nothing of the other."""
    hpa = scaler(metrics={"external": METRICS["external"]})
    hpa["spec"]["metrics"].append({"external": {"metric": {"name": "http_p95_ms"}, "target": {"averageValue": "5"}}})
    hpa["status"]["currentMetrics"].append({"type": ""})
    observed = seen(hpa=[hpa])
    assert observed.autoscalers is not None
    assert observed.autoscalers[0].uses == (("http_p95_ms", "120", "500"), ("http_p95_ms", None, "5"))


@pytest.mark.parametrize(
    "said_of_it",
    [
        {},
        {"ScalingLimited": ("True", "ScaleUpLimit")},
        {"ScalingLimited": ("False", "DesiredWithinRange")},
        {"ScalingLimited": ()},
        {"AbleToScale": ("True", "ScaleDownStabilized")},
    ],
)
def test_what_an_autoscaler_is_made_for_is_well(said_of_it: dict[str, tuple[str, ...]]) -> None:
    """It stays at its least, or takes its time."""
    found = said(OperationsDetails(observed=seen(hpa=[scaler(said_of_it)])))["attention.autoscaler"]
    assert found.verdict is Verdict.PASS, found.reason


def test_a_run_that_kept_no_conditions_is_judged_as_it_was() -> None:
    observed = seen()
    assert observed.autoscalers is not None
    old = msgspec.structs.replace(observed.autoscalers[0], conditions=None)
    assert said(details(autoscalers=(old,)))["attention.autoscaler"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("instead", "name"),
    [
        ({"hpa": []}, "attention.autoscaler"), ({"pdb": []}, "attention.budget"),
        ({"logs": "plain\n"}, "attention.logs"),
    ],
)  # fmt: skip
def test_where_there_is_nothing_nothing_is_well(instead: dict[str, Any], name: str) -> None:
    found = said(OperationsDetails(observed=seen(**instead)))
    assert found[name].verdict is Verdict.INCONCLUSIVE and found[name].holds
    assert {each.verdict for each in found.values() if each.id != name} == {Verdict.PASS}


@pytest.mark.parametrize(
    "observed",
    [ObservedStack(where="x"), seen(pods=None, top=None, logs=None), seen(pods=[], top="", logs="")],
    ids=["nothing", "refused", "empty"],
)
def test_of_what_was_not_read_nothing_is_well(observed: ObservedStack) -> None:
    found = said(OperationsDetails(observed=observed))
    for name in ("attention.pods", "attention.usage", "attention.logs", "operations.daily"):
        assert found[name].verdict is Verdict.INCONCLUSIVE and "is wanted" in found[name].reason, found[name]


def test_lines_that_tell_no_severity_are_told_beside_the_others() -> None:
    found = said(details(logs=LogsNow(lines={"INFO": 1, "": 999})))["attention.logs"]
    assert found.verdict is Verdict.PASS and "1 of 1000 lines tell a severity" in found.reason


def test_a_sidecar_among_the_init_containers_counts() -> None:
    """It uses and requests as the others do, and may end as they do; one that ran to its end requests nothing."""
    ended = {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": "2026-01-01T23:00:00Z"}}
    with_one = pod("api-1", initContainerStatuses=[{"restartCount": 3, "lastState": ended}])
    with_one["spec"]["initContainers"] = [
        {"restartPolicy": "Always", "resources": {"requests": {"cpu": "400m", "memory": "360Mi"}}},
        {"resources": {"requests": {"cpu": "2"}}},
    ]
    found = seen(pods=[with_one]).pods[0]
    assert (found.asked_cores, found.asked_memory_bytes, found.restarts) == (1.0, 1000 * 2**20, 4)
    assert (found.restarted_s, found.why) == (3600.0, "Error (2)")


def test_a_container_that_requests_nothing_leaves_the_share_open() -> None:
    bare = pod("api-1")
    del bare["spec"]["containers"][1]["resources"]["requests"]["cpu"]
    found = seen(pods=[bare])
    assert found.pods[0].asked_cores is None and found.pods[0].asked_memory_bytes == 640 * 2**20
    assert said(OperationsDetails(observed=found))["attention.usage"].verdict is Verdict.INCONCLUSIVE


def test_a_container_of_which_the_runtime_knows_no_end_is_no_error() -> None:
    """``ContainerStatusUnknown``: the reason is told, and no time."""
    lost = pod("api-1")
    lost["status"]["containerStatuses"][0]["lastState"] = {
        "terminated": {"reason": "ContainerStatusUnknown", "exitCode": 137, "finishedAt": None}
    }
    found = seen(pods=[lost]).pods[0]
    assert (found.restarted_s, found.why) == (None, "ContainerStatusUnknown (137)")


def test_what_kubectl_warns_of_beside_its_json_is_no_error_and_what_is_no_json_is_unread() -> None:
    warned = 'E1129 12:00:00 memcache.go:287] "couldn\'t get resource list for metrics.k8s.io/v1beta1"\n'
    listed = json.dumps({"items": [pod("api-1")]})
    found = seen(pods=f"{warned}{listed}\n{warned}", hpa=warned)
    assert [each.name for each in found.pods] == ["api-1"]
    assert found.autoscalers is None and any("get hpa" in command for command, _ in found.unread)


def test_events_that_are_counted_in_a_series_are_counted() -> None:
    event = {"reason": "Unhealthy", "series": {"count": 7}, "involvedObject": {"kind": "Pod", "name": "api-1"}}
    observed = seen(events=[event])
    assert observed.warnings is not None and observed.warnings[0].times == 7


def changed(document: dict[str, Any], **status: Any) -> dict[str, Any]:
    made = copy.deepcopy(document)
    made["status"] |= status
    return made


@pytest.mark.parametrize(
    ("instead", "name", "words"),
    [
        ({"pods": [pod("api-1", conditions=[], phase="Pending")]}, "attention.pods", "api-1 is Pending, and not ready"),
        (
            {"pods": [pod("api-1", containerStatuses=[{"restartCount": 1, "lastState": {"terminated": {
                "exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T22:00:00Z"}}}])]},
            "attention.pods", "api-1: a container ended 120 min ago: Error (1)",
        ),
        ({"top": "api-1 570m 90Mi\n"}, "attention.usage", "api-1 uses 95% of the processors"),
        ({"top": "api-1 5m 600Mi\n"}, "attention.usage", "api-1 uses 94% of the memory"),
        ({"hpa": [changed(HPA, desiredReplicas=10)]}, "attention.autoscaler", "wants its most, 10 replicas"),
        ({"hpa": [changed(HPA, currentMetrics=None)]}, "attention.autoscaler", "does not know cpu, memory"),
        (
            {"hpa": [scaler({"ScalingActive": ("False", "FailedGetExternalMetric")})]},
            "attention.autoscaler", "ScalingActive is False, FailedGetExternalMetric: so",
        ),
        ({"hpa": [scaler({"ScalingActive": ("Unknown", "")})]}, "attention.autoscaler", "ScalingActive is Unknown"),
        ({"hpa": [scaler({"ScalingActive": ()})]}, "attention.autoscaler", "nobody says ScalingActive"),
        (
            {"hpa": [scaler({"AbleToScale": ("False", "FailedGetScale")})]},
            "attention.autoscaler", "AbleToScale is False, FailedGetScale",
        ),
        (
            {"hpa": [scaler({"ScalingLimited": ("True", "TooManyReplicas")})]},
            "attention.autoscaler", "ScalingLimited is True, TooManyReplicas",
        ),
        ({"hpa": [scaler(metrics={"external": (EXTERNAL, None)})]}, "attention.autoscaler", "does not know http_p95_ms"),
        ({"pdb": [changed(PDB, disruptionsAllowed=0)]}, "attention.budget", "allows no eviction: 2 healthy"),
        (
            {"events": [{"reason": "Unhealthy", "message": "probe failed", "count": 3,
                         "involvedObject": {"kind": "Pod", "name": "api-1"}}]},
            "attention.events", "Pod/api-1: Unhealthy, 3 times: probe failed",
        ),
        ({"logs": LOGS + '{"severity": "ERROR", "message": "lost"}\n' * 2}, "attention.logs", "logged 2 times: lost"),
    ],
)  # fmt: skip
def test_what_wants_a_look_holds(instead: dict[str, Any], name: str, words: str) -> None:
    found = said(OperationsDetails(observed=seen(**instead)))
    assert found[name].verdict is Verdict.FAIL and found[name].holds and words in found[name].reason
    others = {each.id for each in found.values() if each.verdict is Verdict.FAIL} - {name}
    assert not others


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ({"pods": []}, "pods"),
        ({"logs": ""}, "lines were logged"),
        ({"top": ""}, "the memory of 0 of 2 pods"),
        ({"top": None}, "kubectl top pods"),
        ({"hpa": None}, "kubectl get hpa"),
    ],
)
def test_a_task_without_what_it_is_made_of_is_inconclusive(instead: dict[str, Any], words: str) -> None:
    found = said(OperationsDetails(observed=seen(**instead)))["operations.daily"]
    assert found.verdict is Verdict.INCONCLUSIVE and words in found.reason


def test_an_answer_that_is_none_holds() -> None:
    assert "attention.answers" not in said(details()), "of a cluster nobody is asked"
    local = OperationsPlan(task=Task.DAILY)
    for status, verdict in ((503, Verdict.FAIL), (200, Verdict.PASS)):
        found = said(details(answers={"/health": 200, "/ready": status}), local)["attention.answers"]
        assert found.verdict is verdict and ("/ready answers 503" in found.reason) is (status == 503)


def test_a_review_needs_a_result_on_each_topic() -> None:
    plan = OperationsPlan(task=Task.WEEKLY)
    of = details()
    of.reviewed = [
        Reviewed(claim="cost.total", state="shown", folder="run", age_s=1.0, judged=True),
        Reviewed(claim="sli.latency", state="not_shown", folder="run", age_s=1.0),
        Reviewed(claim="scaling.hpa.cpu", state="shown", folder="run", age_s=1.0, judged=True),
    ]
    lacking = said(of, plan)["operations.weekly"]
    assert lacking.verdict is Verdict.INCONCLUSIVE and "a stored result on sli" in lacking.reason
    of.reviewed[1] = Reviewed(claim="sli.latency", state="not_shown", folder="run", age_s=1.0, judged=True)
    assert said(of, plan)["operations.weekly"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("state", "judged", "verdict"),
    [
        ("shown", True, Verdict.PASS),
        ("document_wrong", True, Verdict.PASS),
        ("not_shown", True, Verdict.PASS),  # where less is proved than the claim says
        ("failed", True, Verdict.INCONCLUSIVE),
        ("not_shown", False, Verdict.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize("task", [Task.WEEKLY, Task.MONTHLY])
def test_a_review_is_made_of_claims_that_were_judged_and_are_not_known_to_be_wrong(
    task: Task, state: str, judged: bool, verdict: Verdict
) -> None:
    of, topics = details(), TOPICS[task]
    of.reviewed = [Reviewed(claim=f"{topic}.x", state=state, folder="run", judged=judged) for topic in topics]
    found = by_id(conclude.judged(REHEARSAL, OperationsPlan(task=task), made.seen(of)))[CLAIMS[task]]
    assert (found.verdict, found.holds) == (verdict, verdict is not Verdict.PASS)


def test_a_review_in_which_a_claim_is_not_ready_wants_a_look_and_the_page_says_why() -> None:
    plan, of = OperationsPlan(task=Task.WEEKLY), details()
    assert said(of, plan)["attention.review"].verdict is Verdict.INCONCLUSIVE, "nothing was reviewed"
    why = (message("95 % were kept"), message("of 99.9 %"))
    of.reviewed = [
        Reviewed(claim="cost.total", state="shown", why=(message("the sum is right"),), folder="run", age_s=1.0),
        Reviewed(claim="sli.latency", state="not_shown", why=(message("nothing was run"),)),
        Reviewed(claim="scaling.hpa.cpu", state="document_wrong", folder="run", age_s=1.0),
    ]
    well = said(of, plan)["attention.review"]
    assert well.verdict is Verdict.PASS
    assert well.reason == "0 of 3 claims failed; 1 of 3 claims are not shown"
    of.reviewed.append(Reviewed(claim="sli.errors", state="failed", why=why, folder="run", age_s=1.0))
    of.reviewed.append(Reviewed(claim="sli.old", state="failed", folder="run", age_s=1.0))
    found = said(of, plan)["attention.review"]
    assert found.verdict is Verdict.FAIL and found.holds
    assert "sli.errors failed: 95 % were kept; sli.old failed: nobody says why" in found.reason
    (table,) = (each for each in sections(of) if isinstance(each, Table) and str(each.title) == "Reviewed")
    old = {"claim": "sli.old", "state": "failed", "told": "so", "folder": "run", "age_s": 1.0}
    assert msgspec.convert(old, Reviewed) == of.reviewed[-1], "of a run that kept the reason in English"
    assert [[*map(str, row.lines)] for row in table.rows] == [[], ["nothing was run"], [], [*map(str, why)], []]


def test_nothing_seen_is_no_page() -> None:
    assert said(OperationsDetails()) == {}
    found = {each.id: each for each in conclude.judged(REHEARSAL, DAILY, made.seen(OperationsDetails()))}
    assert {"operations.daily", "attention.pods", "attention.usage", "attention.logs"} < {*found}
    assert all(each.holds for each in found.values())


def test_lines_that_are_no_structured_log_are_counted_apart() -> None:
    found = cluster.counted(["{broken", "[1]", '{"severity": "critical", "message": "a"}', '{"message": "b"}'])
    assert found == LogsNow(lines={"": 3, "CRITICAL": 1}, errors=(("a", 1),))
    deep = '{"severity": "ERROR", "of": ' + "[" * 200_000
    assert cluster.counted([deep, '{"severity": "ERROR", "message": "b"}']).lines == {"": 1, "ERROR": 1}


class Moved:
    """A clock that moves by what is slept."""

    anchor = Anchor(monotonic_ns=0, unix_ns=0)

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        return self._now_ns

    def wall_ns(self) -> int:
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        self._now_ns += round(seconds * NS)


async def test_a_stack_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod whose sidecar is gone is not ready; one that was replaced is no pod any more."""
    alive, dead = {1: True, 2: True, 3: True}, ProcessIdentity(pid=4, started="")
    monkeypatch.setattr(ProcessIdentity, "alive", lambda self: alive.get(self.pid, False))
    monkeypatch.setattr(standing, "proportional_bytes", lambda pids: 100 * len(pids))

    async def status(_address: Address, path: str, _limit_s: float) -> int:
        return 200 if path == "/health" else 0

    monkeypatch.setattr(standing, "status_of", status)
    monkeypatch.setattr(standing, "began_unix_s", lambda _pid: 1_767_311_940.0)  # a minute before midnight
    parts = {"api-1": 1, "api-1.sidecar": 2, "api-2": 3, "api-2.sidecar": 4, "api-0": 4, "api-0.sidecar": 4, "envoy": 1}
    lease = Lease(
        run_id="stack", owner=dead,
        parts=[
            PartRecord(part="api-1", identity=dead),
            *(PartRecord(part=name, identity=ProcessIdentity(pid=pid, started="")) for name, pid in parts.items()),
        ],
    )  # fmt: skip
    (tmp_path / "api-1.log").write_text(LOGS)
    (tmp_path / "api-1.sidecar.log").write_text("not of the API\n")
    facts = StackFacts(
        run_id="stack", rung=EnvironmentKind.LOCAL, target="t", up_utc="", logs=str(tmp_path),
        endpoints=all_at(),
        asked_cores=0.6, asked_memory_bytes=640,
    )  # fmt: skip
    clock = Moved()
    monkeypatch.setattr(standing, "usage_of", lambda _pid, _tree: ProcessUsage(clock.now_ns() / NS, 0))
    found = await standing.observe(facts, lease, clock, NOW)
    assert [(pod.name, pod.ready, pod.memory_bytes, pod.cores, pod.restarts) for pod in found.pods] == [
        ("api-1", True, 200, 2.0, 1),
        ("api-2", False, 100, None, 0),
    ]
    assert (found.pods[0].asked_cores, found.pods[0].asked_memory_bytes) == (0.6, 640)
    assert found.pods[0].restarted_s == 60.0 and found.pods[1].restarted_s is None
    assert found.logs.total == 3 and found.answers == {"/health": 200, "/ready": 0}
    assert found.autoscalers is None and found.warnings is None
    alone = await standing.observe(msgspec.structs.replace(facts, proxy=False), lease, clock, NOW)
    assert (alone.pods[0].ready, alone.pods[0].memory_bytes, alone.pods[0].cores) == (True, 100, 1.0)


def test_what_nobody_tells_is_not_well() -> None:
    """A pod whose use or request is not known may be above it; one that is above it is told all the same."""
    silent = msgspec.structs.replace(seen().pods[0], asked_cores=None)
    found = said(details(pods=(silent,)))["attention.usage"]
    assert found.verdict is Verdict.INCONCLUSIVE and found.holds and silent.name in found.reason
    full = msgspec.structs.replace(silent, name="full", memory_bytes=silent.asked_memory_bytes)
    assert said(details(pods=(silent, full)))["attention.usage"].verdict is Verdict.FAIL


def test_lines_older_than_a_day_are_not_of_the_day() -> None:
    """A line that tells no moment, or none that can be placed, counts: nothing is left out unseen."""
    said_at = ("2026-01-01T23:00:00Z", "2026-01-02T01:00:00+00:00", "2026-01-01T00:00:00", "once")
    lines = [json.dumps({"severity": "ERROR", "message": "m", "timestamp": each}) for each in said_at]
    found = cluster.counted([*lines, "text"], since=NOW)
    assert found.lines == {"ERROR": 3, "": 1}


def test_without_a_stack_or_a_cluster_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "recorded", lambda: iter(()))
    with pytest.raises(BadInput, match="that are up are: none"):
        parse(["operations", "daily", "--reports", str(tmp_path)]).run()
    with pytest.raises(BadInput, match="there is no kubeconfig"):
        parse(["operations", "daily", "--context", "prod", "--kubeconfig", str(tmp_path / "none")]).run()
    with pytest.raises(BadInput, match="name two things to look at"):
        parse(["operations", "daily", "--context", "prod", "--own-stack"]).run()
    assert list(tmp_path.iterdir()) == []


def test_a_page_says_no_other_target_than_that_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    there = SimpleNamespace(run_id="r", rung=EnvironmentKind.LOCAL, target="./go-api")
    monkeypatch.setattr(standing, "the_one", lambda: (there, None))
    command = parse(["operations", "daily"])
    assert isinstance(command, OperationsCommand)
    with pytest.raises(BadInput, match=r"has the target \./go-api, and the page would say bundled"):
        command.planned()
    there.target = bundled().name
    assert command.planned().task is Task.DAILY and command.resolved().target == bundled()


def test_a_stack_of_its_own_is_brought_up_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "recorded", lambda: iter(()))
    command = parse(["operations", "weekly", "--own-stack"])
    assert isinstance(command, OperationsCommand)
    plan, options = command.planned(), command.resolved()
    assert (options.rung, plan.task) == (EnvironmentKind.LOCAL, Task.WEEKLY)
    needs = REHEARSAL.stack_spec(plan, options, manifests_of(options))
    assert needs is not None and needs.manifests == manifests_of(options)
    assert REHEARSAL.stack_spec(DAILY, options, manifests_of(options)) is None
