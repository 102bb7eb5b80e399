"""What the drill's Prometheus scrapes of the pods: where it is told to, by what it asks, and what is said of none."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
import yaml

from harness.base.clock import MachineClock
from harness.base.data import MONITORING, OVERLAYS
from harness.base.errors import NotCapable, PartDied
from harness.model.judgement import Expected, Kind, Verdict
from harness.model.manifests import Manifests
from harness.model.message import english
from harness.model.stack import Address, EnvironmentKind, FaultKind
from harness.rehearsals.alert_drill import command, watching
from harness.rehearsals.alert_drill.facts import scraped
from harness.rehearsals.alert_drill.rehearsal import REHEARSAL
from harness.rehearsals.alert_drill.types import PLAN, PROBES, SIDECARS, TARGET, USERS, AlertDrillDetails
from harness.rules import engine
from harness.run.options import Options
from harness.stack.kind.images import binaries
from harness.stack.kind.stack import KindStack
from harness.stack.local.controllers import capabilities
from harness.stack.manifests import load
from harness.stack.target.scraping import ClientCertificate, PodMetrics
from harness.stack.target.targets import bundled
from tests.alert_drill.made import PLANNED, drilled, judged
from tests.alert_drill.stub import StubRun
from tests.objectives import promtool
from tests.rehearsal.made import by_id

BY = ClientCertificate(ca=Path("/run/ca"), certificate=Path("/run/certificate"), key=Path("/run/key"))
CHECKS = ("scrape.target", "scrape.sidecars")
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def jobs(by: ClientCertificate | None) -> dict[str, dict[str, Any]]:
    theirs = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yaml").read_text())
    found = watching.prometheus(theirs, PLANNED, alertmanager=9093, pages=9000, by=by)
    return {each["job_name"]: each for each in found["scrape_configs"]}


@pytest.mark.parametrize("by", [None, BY])
def test_pods_and_sidecars_are_jobs_of_their_own(by: ClientCertificate | None) -> None:
    """On a cluster by its API server, with the run's certificate; what the harness tells is asked as everywhere."""
    found = jobs(by)
    assert set(found) == {TARGET, SIDECARS, USERS, PROBES}
    files = {"ca_file": "/run/ca", "cert_file": "/run/certificate", "key_file": "/run/key"}
    for job in (TARGET, SIDECARS):
        assert found[job]["file_sd_configs"] == [{"files": [f"targets/{job}.json"]}]
        assert found[job].get("scheme") == ("https" if by else None)
        assert found[job].get("tls_config") == (files if by else None)
    assert not any({"scheme", "tls_config"} & found[job].keys() for job in (USERS, PROBES))


def test_each_pod_is_an_instance_at_its_own_path() -> None:
    address = Address(host="127.0.0.1", port=6443)
    pods = [PodMetrics(pod=pod, address=address, path=f"/{pod}/{sidecar}", sidecar=sidecar)
            for pod in ("a", "b") for sidecar in (False, True)]  # fmt: skip
    found = watching.targets(pods)
    assert {job: [each["labels"] for each in groups] for job, groups in found.items()} == {
        TARGET: [{"__metrics_path__": f"/{pod}/False", "instance": pod} for pod in ("a", "b")],
        SIDECARS: [{"__metrics_path__": f"/{pod}/True", "instance": pod} for pod in ("a", "b")],
    }
    assert {target for groups in found.values() for each in groups for target in each["targets"]} == {"127.0.0.1:6443"}
    assert watching.targets([]) == {TARGET: [], SIDECARS: []}  # the files are emptied when the last pod went
    assert watching.places(found) == {TARGET: "127.0.0.1:6443/a/False", SIDECARS: "127.0.0.1:6443/a/True"}
    assert watching.places(watching.targets(pods[:1])) == {TARGET: "127.0.0.1:6443/a/False"}


def test_a_drill_that_scraped_nothing_holds() -> None:
    """It has nothing to be alerted by."""
    details = drilled()[0]
    details.scraped = details.sidecars = 0
    found = {each.id: each for each in judged(PLANNED, details, drilled()[1])}
    assert all(found[name].holds for name in CHECKS)
    assert not [each for each in judged(PLANNED, *drilled()) if each.id in CHECKS and each.holds]


@pytest.mark.parametrize(
    ("pods", "targets", "sidecars", "target", "proxy"),
    [
        (2, 2, None, (PASS, 2, "of 2 of 2 pods"), None),
        (2, 1, None, (FAIL, 1, "of 1 of 2 pods"), None),
        (1, 1, None, (PASS, 1, "of 1 of 1 pods"), None),
        (0, 0, None, (FAIL, 0, "of 0 of ? pods"), None),
        (2, 2, 2, (PASS, 2, "of 2 of 2 pods"), (PASS, 2, "of 2 of 2 pods")),
        (2, 1, 2, (FAIL, 1, "of 1 of 2 pods"), (PASS, 2, "of 2 of 2 pods")),
        (2, 1, 1, (FAIL, 1, "of 1 of 2 pods"), (FAIL, 1, "of 1 of 2 pods")),
        (2, 2, 1, (PASS, 2, "of 2 of 2 pods"), (FAIL, 1, "of 1 of 2 pods")),
        (2, 2, 0, (PASS, 2, "of 2 of 2 pods"), (FAIL, 0, "of 0 of 2 pods")),
        (2, 0, 2, (FAIL, 0, "of 0 of 2 pods"), (PASS, 2, "of 2 of 2 pods")),
        (0, 0, 0, (FAIL, 0, "of 0 of ? pods"), (FAIL, 0, "of 0 of ? pods")),
        # a run of before did not count the pods
        (0, 2, 2, (UNKNOWN, 2, "of 2 of ? pods"), (UNKNOWN, 2, "of 2 of ? pods")),
        (0, 2, 1, (UNKNOWN, 2, "of 2 of ? pods"), (FAIL, 1, "of 1 of ? pods")),
        (0, None, 2, None, None),
        (2, None, 2, None, None),
    ],
)
@pytest.mark.parametrize(
    ("places", "at"),
    [
        ({TARGET: "127.0.0.1:20003/metrics", SIDECARS: "127.0.0.1:20004/metrics"},
         ("asked at 127.0.0.1:20003/metrics, for one", "asked at 127.0.0.1:20004/metrics, for one")),
        ({}, ("no pod became ready", "no pod became ready")),
    ],
)  # fmt: skip
def test_whose_metrics_were_scraped(
    pods: int, targets: int | None, sidecars: int | None, target: tuple[Any, ...] | None, proxy: tuple[Any, ...] | None,
    places: dict[str, str], at: tuple[str, str],
) -> None:  # fmt: skip
    """Of each pod its target's, and its proxy's where the manifests have one; and where they were looked for."""
    given: dict[str, Any] = {"targets": pods, "scraped": targets, "sidecars": sidecars, "places": places}
    asked = {
        "scrape.target": "Prometheus scrapes the target's metrics",
        "scrape.sidecars": "Prometheus scrapes the metrics of each pod's proxy to the database",
    }
    facts = scraped(AlertDrillDetails(**given))
    judgements = by_id(engine.judged([Expected("", id_) for id_ in CHECKS], REHEARSAL.rules, facts, PLANNED, ()))
    for (id_, sentence), wanted, place in zip(asked.items(), (target, proxy), at, strict=True):
        if wanted is None:
            assert id_ not in judgements
            continue
        found, (verdict, samples, reason) = judgements[id_], wanted
        assert (found.verdict, found.samples) == (verdict, samples) and f"{reason}; {place}" in found.reason
        assert english(found.asked) == sentence and found.kind is Kind.CHECK and found.gates


@pytest.mark.process
async def test_every_pod_that_ever_answered_counts(tmp_path: Path) -> None:
    """Also pods that never did at the same moment, and one that went; one that was only asked is a pod, unless it came
    a moment ago."""
    await binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",))
    queries: list[str] = []

    async def ask(path: str) -> dict[str, Any]:
        queries.append(unquote(path.partition("query=")[2]))
        return {"data": {"result": [{"metric": {"job": TARGET}, "value": [0, "2"]}]}}

    prometheus: Any = SimpleNamespace(ask=ask)
    assert await watching.ever_up(prometheus, "60s") == {TARGET: 2}
    assert await watching.ever_asked(prometheus, "60s") == {TARGET: 2}
    answers = {
        (TARGET, "a"): "1 1 1 1", (TARGET, "b"): "0 1 _ _", (TARGET, "asked"): "0 0 0 0", (TARGET, "new"): "_ _ _ 0 0",
        (SIDECARS, "a"): "1 0 1 0", (SIDECARS, "b"): "0 1 _ _", ("other", "a"): "0 0 0 0",
    }  # fmt: skip
    case = {
        "interval": "10s",
        "input_series": [
            {"series": f'up{{job="{job}",instance="{pod}"}}', "values": values} for (job, pod), values in answers.items()
        ],
        "promql_expr_test": [
            {"expr": queries[0], "eval_time": "40s",
             "exp_samples": [{"labels": f'{{job="{job}"}}', "value": 2} for job in (TARGET, SIDECARS)]},
            {"expr": queries[1], "eval_time": "40s",
             "exp_samples": [{"labels": f'{{job="{job}"}}', "value": value}
                             for job, value in ((TARGET, 3), (SIDECARS, 2), ("other", 1))]},
        ],
    }  # fmt: skip
    assert promtool.said(tmp_path, {"evaluation_interval": "10s", "tests": [case]}) == ""


@pytest.mark.parametrize("answers", range(5))
async def test_of_a_prometheus_that_died_when_it_was_asked_nothing_is_judged(answers: int, tmp_path: Path) -> None:
    """That nothing is known to have fired is no alert that did not fire. It is asked four things."""
    on: Any = StubRun(PLANNED, tmp_path)
    on.details, on.evidence = drilled()
    on.details.asked_ns, on.details.firings, on.details.burns = 0, [], []
    left = iter(range(answers))

    async def ask(path: str) -> dict[str, Any]:
        if next(left, None) is None:
            raise PartDied("Prometheus does not answer")
        return {"data": [] if path.startswith("/api/v1/series") else {"result": []}}

    prometheus: Any = SimpleNamespace(ask=ask)
    with contextlib.suppress(PartDied):
        await watching.ask(PLANNED, on, prometheus)
    found = {each.id.partition(".")[0] for each in judged(PLANNED, on.details, on.evidence)}
    assert found >= {"alert", "burn", "scrape"} if answers == 4 else found == {"slo"}


@pytest.mark.parametrize("more", [{}, {"sidecars": 2}])
def test_what_was_stored_before_answers_were_counted_is_judged_as_it_was(more: dict[str, int]) -> None:
    """Then ``targets`` were pods that Prometheus was told of, whether one of them answered or none did."""
    stored = msgspec.to_builtins(drilled()[0])
    for name in ("scraped", "sidecars", "places"):
        del stored[name]
    details = msgspec.convert(stored | {"targets": 2} | more, AlertDrillDetails)
    found = {each.id for each in judged(PLANNED, details, drilled()[1])}
    now = {each.id for each in judged(PLANNED, *drilled())}
    assert now - found == set(CHECKS) and "drill.blind" in found


# -- where the trials can be made ---------------------------------------------------------------------------------------


def options(rung: EnvironmentKind) -> Options:
    return Options(rung=rung, target=bundled(), seed=1, reports=Path(), manifests=OVERLAYS / rung, replay="")


def without_sidecar(found: Manifests) -> Manifests:
    template = found.deployment.template
    alone = msgspec.structs.replace(template, containers=template.containers[:1])
    return msgspec.structs.replace(found, deployment=msgspec.structs.replace(found.deployment, template=alone))


@pytest.mark.parametrize("rung", [EnvironmentKind.LOCAL, EnvironmentKind.KIND])
def test_it_is_drilled_on_processes_and_on_a_cluster(rung: EnvironmentKind) -> None:
    manifests = load(OVERLAYS / rung, rung)
    needs = REHEARSAL.stack_spec(PLAN, options(rung), manifests)
    assert needs is not None and needs.fault_proxy and needs.manifests is manifests and manifests.sidecar


def test_both_can_do_all_that_the_trials_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stack.state.processes.usable", lambda: False)
    manifests = load(OVERLAYS / EnvironmentKind.KIND, EnvironmentKind.KIND)
    stack = KindStack(
        run_id="r", manifests=manifests, target=bundled(), folder=tmp_path, clock=MachineClock(), progress=print
    )
    for able in (capabilities(signals_at_once=False), stack.capabilities):
        assert REHEARSAL.missing_capabilities(PLAN, able) == ()


def test_a_cluster_s_pods_without_a_proxy_are_refused_before_anything_is_made() -> None:
    """The database is slowed by them; on processes it is by the harness' own."""
    found = without_sidecar(load(OVERLAYS / EnvironmentKind.KIND, EnvironmentKind.KIND))
    with pytest.raises(NotCapable, match="the trial latency slows the database"):
        REHEARSAL.stack_spec(PLAN, options(EnvironmentKind.KIND), found)
    assert REHEARSAL.stack_spec(PLAN, options(EnvironmentKind.LOCAL), found) is not None
    quick = tuple(each for each in PLAN.trials if each.fault.kind is not FaultKind.DATABASE_SLOW)
    assert (
        REHEARSAL.stack_spec(msgspec.structs.replace(PLAN, trials=quick), options(EnvironmentKind.KIND), found)
        is not None
    )
    assert (
        REHEARSAL.stack_spec(command.drilled(command.LONG), options(EnvironmentKind.KIND), found) is not None
    )  # no trial slows the database
