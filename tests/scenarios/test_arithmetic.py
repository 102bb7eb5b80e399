"""The document's arithmetic, computed again: what the errata and the hows of the register rest on."""

from __future__ import annotations

from decimal import Decimal

from harness.base.data import ROOT
from harness.stack.manifests import load as load_manifests

FIXED = Decimal(10) + Decimal(18)  # storage and load balancer
DATABASE = Decimal(85)
LOGGING = Decimal("2.50")


def pods(count: int) -> Decimal:
    return 5 + 35 * Decimal(count)  # the line through the table's four rows


def test_error_budget_of_thirty_days() -> None:
    assert Decimal(30 * 24 * 60) * Decimal("0.001") == Decimal("43.2")


def test_total_of_the_estimate() -> None:
    assert Decimal(110) + DATABASE + 10 + LOGGING + 0 + 18 == Decimal("225.50")
    assert round(Decimal(34_000) / Decimal("225.50"), 1) == Decimal("150.8")


def test_replica_table_leaves_logging_out() -> None:
    table = {2: (75, 188), 4: (145, 258), 8: (285, 398), 10: (355, 468)}
    for count, (autopilot, total) in table.items():
        assert pods(count) == autopilot
        assert autopilot + DATABASE + FIXED == total
    assert pods(3) + DATABASE + FIXED == Decimal("225.50") - LOGGING


def test_rates() -> None:
    assert 500 / 50 == 10.0
    assert 0.30 * 500 / 50 == 3.0
    assert round(150 / 45, 2) == 3.33


def test_platform_in_series() -> None:
    assert round(0.999 * 0.9995, 4) == 0.9985


def test_hpa_targets_are_of_the_summed_requests() -> None:
    containers = load_manifests(ROOT / "deploy/kubernetes/document").deployment.template.containers
    cpu_m = sum(container.request_cpu_m or 0 for container in containers)
    memory_mi = sum(container.request_memory_bytes or 0 for container in containers) / 2**20
    assert (cpu_m, memory_mi) == (600, 640)
    assert 0.70 * cpu_m / 500 == 0.84
    assert 0.80 * memory_mi == 512


def test_database_with_and_without_ha() -> None:
    month = (2 * 0.0413 + 4 * 0.007) * 730
    assert round(month) == 81
    assert round(2 * month) == 161
