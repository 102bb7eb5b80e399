"""The document's tables of costs, a list of unit prices, and what is read of a stored run: files, plan and facts."""

from __future__ import annotations

from typing import Annotated

import msgspec

from harness.base.planfile import once
from harness.base.units import Bytes, Dollars, PerSecond, Ratio, Seconds
from scenarios.claims import ClaimId

#: The parts of the plan: what is computed from the document alone, and from a run.
DOCUMENT, MEASURED = "document", "measured"
HOUR_S, DAY_S, GIB, GB = 3600.0, 86_400.0, 2.0**30, 1e9
Count = Annotated[int, msgspec.Meta(ge=1, le=1000, examples=[2])]
Amount = Annotated[float, msgspec.Meta(ge=0, examples=[100])]


# -- unit prices: scenarios/plans/prices.yaml, which a team replaces by --prices ---------------------------------------


class PodPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Of a pod on GKE Autopilot, by what its containers request; a year's ``commitment`` takes so much off."""

    vcpu_hour_usd: Dollars
    gib_hour_usd: Dollars
    commitment: Ratio


class ClusterPrices(msgspec.Struct, frozen=True, kw_only=True):
    """The fee of a cluster; a month's ``credit_usd`` of the billing account is taken off the fees of all."""

    hour_usd: Dollars
    credit_usd: Dollars


class DatabasePrices(msgspec.Struct, frozen=True, kw_only=True):
    """Of Cloud SQL; ``ha_factor`` times as much with high availability, its storage too."""

    vcpu_hour_usd: Dollars
    gib_hour_usd: Dollars
    storage_gib_usd: Dollars
    ha_factor: Annotated[float, msgspec.Meta(ge=1, le=3, examples=[2])]
    commitment: Ratio


class StoragePrices(msgspec.Struct, frozen=True, kw_only=True):
    """Of Firebase Storage, a month: of each GB kept beyond the free ones, and of each GB downloaded."""

    gb_usd: Dollars
    free_gb: Amount
    download_gb_usd: Dollars


class LoggingPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Of Cloud Logging: of each GiB taken in beyond the free ones of a month, which keeps it for ``included_s``; then
    of each GiB and month for which it is kept longer.
    """

    gib_usd: Dollars
    free_gib: Amount
    included_s: Seconds
    kept_gib_usd: Dollars


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """A list of unit prices as of a day, of one ``region``; ``source`` says where they were read."""

    as_of: Annotated[str, msgspec.Meta(pattern=r"^20\d\d-\d\d-\d\d$(?!\n)", description="a day, as 2026-11-27")]
    region: str
    source: str
    pods: PodPrices
    cluster: ClusterPrices
    database: DatabasePrices
    storage: StoragePrices
    logging: LoggingPrices
    million_samples_usd: Dollars
    load_balancer_hour_usd: Dollars


# -- the document's tables: scenarios/plans/cost.yaml ----------------------------------------------------------------


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


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """The costs as the document prints them. ``tolerance``: an estimate may differ so much from what is recomputed.
    ``measured_by``: the scenario whose newest run is read where none is named, if it is no older than ``max_age_s``.
    """

    title: str
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


class CostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a run. ``of`` is the folder of the stored run that is measured by, "" for the newest that fits."""

    name: str = "cost"
    tables: Tables
    prices: Prices
    of: str = ""


# -- what a run leaves -----------------------------------------------------------------------------------------------


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """So many cores and GiB of memory."""

    cores: float
    gib: float


class PodSizes(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifests' pod asks for: all its containers together, and what the API's container may use at most."""

    requested: Size
    api_limits: Size


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a stored run used. ``seconds`` is from its first request to the API to its last answer, ``pods`` the mean of
    the replicas in that time, ``requests`` those of users and probes. ``log_bytes`` are all that its pods wrote.
    ``walks`` were created. What lay in the stores when the load had ended, and how many ``connections`` PostgreSQL had,
    is as of its last check. ``None``: the run did not keep it.
    """

    run_id: str
    rehearsal: str
    plan: str
    rung: str
    target: str
    target_digest: str
    started_utc: str
    broke: bool
    seconds: float
    users: int
    requests: int
    walks: int
    pods: float | None = None
    log_bytes: int | None = None
    database_bytes: int | None = None
    photo_bytes: int | None = None
    connections: int | None = None
    max_connections: int | None = None

    @property
    def log_bytes_a_request(self) -> float | None:
        """Of what the pods wrote."""
        return self.log_bytes / self.requests if self.log_bytes and self.requests else None


class CostDetails(msgspec.Struct, kw_only=True):
    """The facts: the pod of the manifests, and the run that was read, ``None`` where there was none."""

    pod: PodSizes | None = None
    measured: Measured | None = None
