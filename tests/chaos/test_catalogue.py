"""The bundled experiments are Chaos Toolkit's own form, and know only what exists."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from chaos import actions, probes
from harness.base.errors import BadInput
from harness.model.stack import DELAYS, PARTS, PROXY_FAULTS, FaultKind
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.chaos.catalogue import draw

NAMES = catalogue.names()
LONG = ("database_failover_async", "flag_off", "pod_kill_series")


def activities(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [*document["steady-state-hypothesis"]["probes"], *document["method"], *document["rollbacks"]]


@pytest.mark.parametrize("name", NAMES)
def test_chaos_toolkit_takes_it(name: str) -> None:
    assert catalogue.checked(catalogue.FOLDER / f"{name}.yaml") == catalogue.load(name)


@pytest.mark.parametrize("name", NAMES)
def test_it_names_only_what_exists(name: str) -> None:
    experiment = catalogue.load(name)
    for activity in activities(experiment.document):
        provider = activity["provider"]
        module = {"chaos.actions": actions, "chaos.probes": probes}[provider["module"]]
        signature = inspect.signature(getattr(module, provider["func"]))
        signature.bind(**provider.get("arguments", {}))
        arguments = provider.get("arguments", {})
        if provider["func"] == "inject":
            kind = FaultKind(arguments["kind"])
            assert (kind in DELAYS) == ("delay_ms" in arguments)
            if kind in {FaultKind.PART_HANG, FaultKind.PART_SLOW}:
                assert arguments["subject"] in PARTS
    assert experiment.document["rollbacks"][-1]["provider"]["func"] == "undo"
    assert experiment.expects.why


def test_experiments_of_minutes_are_run_when_they_are_named_and_never_drawn() -> None:
    assert set(NAMES) - set(catalogue.usual()) == set(LONG)
    series = catalogue.load("pod_kill_series")
    (given,) = (
        each["provider"]["arguments"] for each in series.document["method"] if each["name"].startswith("repeat")
    )
    assert series.expects.repeated is not None  # what is made is what is computed with
    assert (given["times"], given["every_s"]) == (series.expects.repeated.times, series.expects.repeated.every_s)
    failover = catalogue.load("database_failover_async").expects.failover
    assert failover is not None and not failover.synchronous


def test_every_fault_of_the_stack_is_in_some_experiment() -> None:
    used = {
        activity["provider"].get("arguments", {}).get("kind")
        for name in NAMES
        for activity in activities(catalogue.load(name).document)
    }
    # What stands in front of the pods is the weeks' own (--fault); a crash is the first turn of a crash loop.
    assert {str(kind) for kind in FaultKind} - used == {str(kind) for kind in PROXY_FAULTS} | {"pod_crash"}


KEPT = ("most_failed: 10%", "why: x", "recover_within: 1s")


def form(*keys: str, **more: str) -> str:
    """An experiment whose extension has ``keys``, from line 6 on; ``more`` are lines in place of others."""
    extension = "- name: tekutoko\n" + "\n".join(f"  {key}" for key in keys)
    rest = {"title": "title: x", "hypothesis": "steady-state-hypothesis: {}", "method": "method: []"}
    return "\n".join([*(rest | more).values(), "description: x", "extensions:", extension])


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("", "one experiment", "mine.yaml"),
        ("- x", "a mapping of keys is wanted", "mine.yaml:1"),
        ("a: [", "not YAML", "mine.yaml"),
        (form(*KEPT, title="tags: []"), "key 'title' is missing", "mine.yaml:1"),
        (form(*KEPT, method="methods: []"), "unknown key 'methods'; did you mean 'method'?", "mine.yaml:3, methods"),
        (form(*KEPT, method="method: [wait]"), "Expected `object`", "mine.yaml:3, method[0]"),
        (form(*KEPT).replace("tekutoko", "other"), "one extension 'tekutoko'", "mine.yaml:5, extensions"),
        (form(*KEPT[:2]), "key 'recover_within' is missing", "mine.yaml:6, extensions[0]"),
        (form("most_failed: 0.1", *KEPT[1:]), "0.1 is not a percentage", "mine.yaml:7, extensions[0].most_failed"),
        (form(*KEPT[:2], "recover_within: 0s"), "'0s' is out of range", "mine.yaml:9, extensions[0].recover_within"),
        (form(*KEPT, "more: 1"), "unknown key 'more'", "mine.yaml:10, extensions[0].more"),
        (form(*KEPT, "needs: [zone]"), "did you mean 'zones'", "mine.yaml:10, extensions[0].needs[0]"),
        (form(*KEPT, "claims: [dr.rot]"), "unknown claim 'dr.rot'", "mine.yaml:10, extensions[0].claims[0]"),
        (form(*KEPT, "repeated: {every: 5, times: 2}"), "5 is not a duration", "mine.yaml:10, extensions[0].repeated"),
    ],
)
def test_a_wrong_experiment_is_refused_by_its_line(tmp_path: Path, text: str, what: str, where: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(BadInput) as refused:
        catalogue.load(str(tmp_path / "mine.yaml"))
    assert what in refused.value.what
    assert where in refused.value.where


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: pod_kill", "sort: pod_kill", "required argument 'kind' is missing"),
        ("func: inject", "func: injects", "injects"),
        ("module: chaos.actions", "module: chaos.acts", "chaos.acts"),
        ("  provider:", "  provider: [1]\n  providers:", "Chaos Toolkit does not take it"),
    ],
)
def test_what_chaos_toolkit_would_not_run_is_refused_before(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (catalogue.FOLDER / "pod_kill.yaml").read_text()
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new, 1))
    assert catalogue.read(tmp_path / "mine.yaml").name == "mine"
    with pytest.raises(BadInput, match=told):
        catalogue.checked(tmp_path / "mine.yaml")


def test_what_its_actions_inject_is_known(tmp_path: Path) -> None:
    text = (catalogue.FOLDER / "pod_kill.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("kind: pod_kill", "kind: errors", 1))
    mine, kill = catalogue.read(tmp_path / "mine.yaml"), catalogue.load("pod_kill")
    assert (mine.faults, kill.faults) == ((FaultKind.ERRORS,), (FaultKind.POD_KILL,))


@pytest.mark.parametrize("name", ["zone_loss", "drain"])
def test_what_breaks_nodes_does_so_said_or_not(tmp_path: Path, name: str) -> None:
    """Else it would run on a kept cluster, under the runs that share it."""
    text = (catalogue.FOLDER / f"{name}.yaml").read_text()
    assert "breaks_nodes: true" in text
    (tmp_path / "mine.yaml").write_text(text.replace("breaks_nodes: true", "breaks_nodes: false"))
    assert catalogue.read(tmp_path / "mine.yaml").expects.breaks_nodes
    assert not catalogue.load("pod_kill").expects.breaks_nodes


def test_a_fault_that_no_stack_has_is_refused_by_its_line(tmp_path: Path) -> None:
    text = (catalogue.FOLDER / "pod_kill.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("kind: pod_kill", "kind: pod_kil"))
    with pytest.raises(BadInput, match=r"'pod_kil' is none of .*did you mean 'pod_kill'") as refused:
        catalogue.load(str(tmp_path / "mine.yaml"))
    assert refused.value.where.endswith("mine.yaml:30, method[0].provider.arguments.kind")


def test_an_unknown_experiment_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no experiment 'pod_kil'; did you mean 'pod_kill'") as refused:
        catalogue.load("pod_kil")
    assert "pod_kill" in refused.value.remedy


def test_the_seed_draws_the_schedule() -> None:
    once = draw(NAMES, 50, 7)
    assert once == draw(NAMES, 50, 7)
    assert once != draw(NAMES, 50, 8)
    assert len(once) == 50 and set(once) <= set(NAMES)
    assert draw(NAMES, 10, 7) == once[:10]
    many = draw(NAMES, 2000, 1)
    assert min(many.count(name) for name in NAMES) > 2000 / len(NAMES) / 2
