"""The bundled experiments are Chaos Toolkit's own form, and know only what exists."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from chaoslib.experiment import ensure_experiment_is_valid

from chaos import actions, catalogue, probes
from harness.base.errors import BadInput
from harness.model.stack import DELAYS, GATE_FAULTS, PARTS, Capability, FaultKind
from harness.rehearsals.chaos.draw import draw
from scenarios import claims

NAMES = catalogue.names()
LONG = ("database_failover_async", "flag_off", "pod_kill_series")


def activities(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [*document["steady-state-hypothesis"]["probes"], *document["method"], *document["rollbacks"]]


@pytest.mark.parametrize("name", NAMES)
def test_chaos_toolkit_takes_it(name: str) -> None:
    ensure_experiment_is_valid(catalogue.load(name).document)


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
    assert set(experiment.expects.needs) <= {str(each) for each in Capability}
    assert set(experiment.expects.claims) <= set(claims.REGISTER)
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
    assert {str(kind) for kind in FaultKind} - used == {str(kind) for kind in GATE_FAULTS} | {"pod_crash"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "mapping"),
        ("title: x", "extension 'tekutoko'"),
        ("title: x\nextensions: [{name: tekutoko, most_failed: 0.1, why: x}]", "recover_within_s"),
        ("title: x\nextensions: [{name: tekutoko, most_failed: 0.1, recover_within_s: 1, why: x, more: 1}]", "more"),
        ("extensions: [{name: tekutoko, most_failed: 0.1, recover_within_s: 1, why: x}]", "title"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_experiment_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(BadInput, match=words):
        catalogue.load(str(tmp_path / "mine.yaml"))


def test_an_unknown_experiment_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no experiment 'pod_kil'") as refused:
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
