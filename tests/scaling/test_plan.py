"""The plan of the scaling rehearsal: strict, in its order; and what its parts read of the manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.model.autoscaling import MetricSpec
from harness.model.manifests import Budget
from harness.rehearsals.scaling.command import ScalingCommand, ZoneLossCommand
from harness.rehearsals.scaling.rehearsal import SEVEN, copied, least_available
from harness.rehearsals.scaling.types import ScalingPlan
from harness.stack.kubernetes.documents import prepared
from harness.stack.manifests import load as load_manifests
from harness.stack.manifests import spec
from harness.stack.manifests.quantity import cpu_factor, limits_factor, scaled
from tests.kind.test_documents import FACTS
from tests.test_manifests import folder

KUBERNETES = Path(__file__).resolve().parent.parent.parent / "deploy" / "kubernetes"


def test_the_bundled_plan() -> None:
    plan = planfile.bundled("scaling", ScalingPlan)
    names = ["manual", "apply", "drain", "takes_back", "hpa_cpu", "hpa_memory", "hpa_latency", "commands"]
    assert [part.name for part in plan.parts] == names
    assert (plan.parts[0].low, plan.parts[0].high) == (2, 8)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: manual", "kind: hpa", "the order is"),
        ("scaling.time.manual_up", "scaling.time.manual_upp", "did you mean"),
        ("high: 8", "high: 80", "Expected `int` <= 40"),
        ("hold: 85%", "hold: 95%", "'95%' is out of range .at most 90%"),
        ("kind: drain", "kind: drains", "'drains' is none of manual, apply, .*did you mean 'drain'"),
        ("needs: [eviction]", "needs: [evictions]", "did you mean 'eviction'"),
        ("name: apply", "name: manual", "one name"),
        ("low: 2", "low: 9", "low is 9, above high, 8"),
        ("  up_within: 45s", "  hold: 50%", r"kind 'manual' does not read 'hold'\n.*plan.yaml:13, parts.0..hold"),
        ("  load: 10s", "  high: 4", "kind 'drain' does not read 'high'"),
        ("  in_flight: 24", "  in_flight: 24\n  rate: 1/s", r"one load: hold, rate or in_flight\n.*parts.4..in_flight"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text((PLANS / "scaling.yaml").read_text().replace(old, new, 1))
    with pytest.raises(BadInput, match=told):
        planfile.load(path, ScalingPlan)


def test_zone_loss_is_a_plan_of_its_own() -> None:
    plan = ZoneLossCommand().planned()
    assert [(part.name, part.component) for part in plan.parts] == [("as_written", ""), ("spread", "spread")]
    for part in plan.parts:
        overlay = KUBERNETES / "overlays" / "-".join(filter(None, ("kind", part.component)))
        deployment = load_manifests(overlay).documents["Deployment/tekutoko-api"]
        pod = deployment["spec"]["template"]["spec"]
        assert ("topologySpreadConstraints" in pod) == bool(part.component)


def test_only_names_parts() -> None:
    chosen = ScalingCommand(only=("drain", "manual")).planned()
    assert [part.name for part in chosen.parts] == ["manual", "drain"]
    with pytest.raises(BadInput, match="is none"):
        ScalingCommand(only=("zones",)).planned()


def test_one_factor_for_requests_and_limits() -> None:
    manifests = load_manifests(KUBERNETES / "overlays" / "local")
    factor = cpu_factor(manifests, 2, 8)  # 8 x 600m on 2 cores
    assert factor == pytest.approx(2000 / 4800)
    small = scaled(manifests, factor, raw=True)
    first = small.deployment.template.containers[0]
    assert (first.request_cpu_m, first.limit_cpu_m) == (208, 417)
    assert small.deployment.template.digest != manifests.deployment.template.digest, "the pods are due for replacement"
    raw = small.documents["Deployment/tekutoko-api"]["spec"]["template"]["spec"]["containers"]
    assert raw[0]["resources"]["limits"]["cpu"] == "417m", "what is applied to a cluster says the same"
    assert scaled(manifests, factor).documents == manifests.documents, "a cluster's stack scales them itself"
    assert scaled(manifests, 1.0) is manifests


def test_an_autoscaler_s_target_in_cores_is_scaled_with_the_requests(tmp_path: Path) -> None:
    """Or pods whose limit is below it would never be more. A percentage, and memory, stay as they are."""

    def targets(metrics: list[MetricSpec]) -> list[tuple[str, int | None]]:
        return [(each.name, each.average_utilization or each.average_value_m) for each in metrics]

    def in_cores(documents: dict[str, dict[str, Any]]) -> None:
        documents["HorizontalPodAutoscaler/tekutoko-api-hpa"]["spec"]["metrics"] = [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "400m"}}},
            {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "api", "target": {"averageValue": "1"}}},
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}},
            {"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "1Ki"}}},
        ]  # fmt: skip

    found = load_manifests(folder(tmp_path, in_cores))
    asked = [("cpu", 100), ("cpu", 250), ("cpu", 70), ("memory", 1024_000)]
    small = scaled(found, 0.25, raw=True)
    assert small.hpa is not None and targets([*small.hpa.metrics]) == asked
    applied = prepared(found, msgspec.structs.replace(FACTS, cpu_factor=0.25))
    (hpa,) = (each for each in applied if each["kind"] == "HorizontalPodAutoscaler")
    for document in (small.documents["HorizontalPodAutoscaler/tekutoko-api-hpa"], hpa):
        read = spec.hpa("hpa", msgspec.convert(document["spec"], spec.HpaSpec), "")
        assert targets([*read.metrics]) == asked
    assert scaled(found, 0.25).documents == found.documents


def test_limits_that_fit_together() -> None:
    manifests = load_manifests(KUBERNETES / "overlays" / "local")
    factor = limits_factor(manifests, 0.8, 10)  # 10 x (1000m + the sidecar's request of 100m) on 0.8 cores
    assert factor == pytest.approx(800 / 11_000)
    assert limits_factor(manifests, 64, 10) == 1


@pytest.mark.parametrize(
    ("budget", "least"),
    [
        (None, 0),
        (Budget(name="b", min_available=1), 1),
        (Budget(name="b", min_available="34%"), 2),
        (Budget(name="b", max_unavailable=1), 2),
        (Budget(name="b", max_unavailable=4), 0),
    ],
)
def test_what_a_budget_keeps_of_three(budget: Budget | None, least: int) -> None:
    assert least_available(budget, 3) == least


def test_the_copy_is_the_document_and_nothing_of_ours(tmp_path: Path) -> None:
    to = copied(KUBERNETES / "document", tmp_path / "base")
    assert sorted(path.name for path in to.iterdir()) == sorted(f"{name}.yaml" for name in SEVEN)
    assert (to / "hpa.yaml").read_bytes() == (KUBERNETES / "document" / "hpa.yaml").read_bytes()
