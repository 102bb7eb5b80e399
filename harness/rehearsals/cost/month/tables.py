"""The costs as the document prints them: scenarios/plans/cost.yaml."""

from __future__ import annotations

from typing import Annotated

import msgspec

from harness.base.planfile import once
from harness.base.units import Bytes, Dollars, PerSecond, Ratio, Seconds
from harness.model.message import Message, message
from harness.rehearsals.cost.month.prices import Amount, Prices
from harness.rules.register import ClaimId

HOUR_S = 3600.0
Count = Annotated[int, msgspec.Meta(ge=1, le=1000, examples=[2])]


class Printed(msgspec.Struct, frozen=True, kw_only=True):
    """What 月額コスト概算 prints for each part of a month's bill, and their total."""

    autopilot_usd: Dollars
    cloud_sql_usd: Dollars
    storage_usd: Dollars
    logging_usd: Dollars
    monitoring_usd: Dollars
    load_balancer_usd: Dollars
    total_usd: Dollars
    total_yen: Annotated[int, msgspec.Meta(ge=1, examples=[34000])]

    @property
    def parts_usd(self) -> tuple[float, ...]:
        """The parts, in the table's order."""
        return (self.autopilot_usd, self.cloud_sql_usd, self.storage_usd, self.logging_usd, self.monitoring_usd,
                self.load_balancer_usd)  # fmt: skip


class Quantities(msgspec.Struct, frozen=True, kw_only=True):
    """What the document buys in a month: its quantities. ``pod_*`` are of the container that it prices."""

    pods: Amount
    pod_cpu_milli: Count
    pod_memory_mib: Annotated[int, msgspec.Meta(ge=1, examples=[512])]
    database_vcpus: Amount
    database_memory_gib: Amount
    storage_gb: Amount
    log_gb: Amount


class ReplicasRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of スケールアップ時（レプリカ数別）."""

    claim: ClaimId
    replicas: Count
    autopilot_usd: Dollars
    cloud_sql_usd: Dollars
    total_usd: Dollars


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """What コスト削減策 promises; ``*_phase`` is from which phase the budget's alert is there, by each chapter."""

    commitment: Ratio
    budget_alert_usd: Dollars
    budget_alert_phase: Count
    checklist_phase: Count
    logs_kept_s: Seconds
    logs_kept_then_s: Seconds
    logs_saved: Ratio


class Supposed(msgspec.Struct, frozen=True, kw_only=True):
    """What the document leaves open, and a bill needs: our own suppositions, each to be replaced by a team's.

    ``walks_a_user``: recorded a month. ``samples``: of the API's own metrics, so many ``series_a_pod`` each
    ``scrape_s``. ``services``: into how many the API would be split as microservices. ``rate_per_s``: of requests, all
    month. ``clusters``: one each for dev, staging and prod.
    """

    users: Count
    walks_a_user: Amount
    photos_a_walk: Count
    photo_bytes: Annotated[int, msgspec.Meta(ge=1, examples=[5000000])]
    database_storage_bytes: Bytes
    series_a_pod: Annotated[int, msgspec.Meta(ge=1, examples=[100])]
    scrape_s: Seconds
    services: Count
    rate_per_s: PerSecond
    clusters: Count

    @property
    def walks(self) -> float:
        """Of all users, in a month."""
        return self.users * self.walks_a_user


class CostTables(msgspec.Struct, frozen=True, kw_only=True):
    """The costs as the document prints them. ``region``: where it runs. ``tolerance``: an estimate may differ so much
    from what is recomputed. ``measured_by``: the scenario whose newest run is read where none is named, if it is no
    older than ``max_age_s``.
    """

    title: str
    region: str
    month_s: Seconds
    tolerance: Ratio
    measured_by: str
    max_age_s: Seconds
    comparison_usd: Dollars
    quantities: Quantities
    printed: Printed
    replicas: Annotated[tuple[ReplicasRow, ...], msgspec.Meta(min_length=1)]
    savings: Savings
    supposed: Supposed

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a row that is there twice."""
        once(row.replicas for row in self.replicas)

    @property
    def hours(self) -> float:
        """Of a month."""
        return self.month_s / HOUR_S

    def untried(self, prices: Prices) -> Message | None:
        """That ``prices`` are another region's than the document's; ``None`` of its own."""
        if prices.region == self.region:
            return None
        return message("no prices of {region}, where the document runs, were given (--prices FILE)", region=self.region)
