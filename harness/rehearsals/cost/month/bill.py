"""A month's bill from what is used and a list of unit prices. Pure arithmetic, in dollars."""

from __future__ import annotations

import msgspec

from harness.base.units import DAY_S, Unit, show
from harness.model.message import Message, message, raw_text
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import CostTables

GIB, GB = 2.0**30, 1e9
_CENT = 0.005


class MachineSize(msgspec.Struct, frozen=True, kw_only=True):
    """So many cores and GiB of memory."""

    cores: float
    gib: float


class MonthUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a month uses: ``pods`` on average, each of ``pod``'s size; a database of ``database``'s size and
    ``database_gib`` of storage, highly available or not; GB kept and downloaded, GiB of logs, millions of samples.
    """

    pods: float
    pod: MachineSize
    clusters: int
    database: MachineSize
    database_gib: float
    ha: bool
    storage_gb: float
    download_gb: float
    log_gib: float
    samples_m: float


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What a run measured of its use: ``pods`` on average, the bytes that a request logs; of a walk that is kept, its
    requests to the API and its bytes in the stores. ``None``: the run does not say.
    """

    pods: float | None = None
    log_bytes_a_request: float | None = None
    requests_a_walk: float | None = None
    database_bytes_a_walk: float | None = None
    photo_bytes_a_walk: float | None = None


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A month's bill by its parts, dollars."""

    pods: float
    cluster: float
    database: float
    storage: float
    logging: float
    monitoring: float
    load_balancer: float

    @property
    def parts(self) -> dict[str, float]:
        """By name, in the order of the document's table."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def total(self) -> float:
        """Of all parts."""
        return sum(self.parts.values())

    @property
    def fixed(self) -> float:
        """What is paid whatever the number of pods."""
        return self.total - self.pods


#: What each part is called.
NAMES: dict[str, Message] = {
    "pods": message("GKE Autopilot: pods"),
    "cluster": message("GKE: the cluster's fee"),
    "database": raw_text("Cloud SQL"),
    "storage": raw_text("Firebase Storage"),
    "logging": raw_text("Cloud Logging"),
    "monitoring": raw_text("Cloud Monitoring"),
    "load_balancer": message("Load balancer"),
}


def bill(usage: MonthUsage, prices: Prices, hours: float) -> Bill:
    """A month of ``hours``."""
    return Bill(
        pods=usage.pods * pod(usage.pod, prices, hours),
        cluster=cluster(usage.clusters, prices, hours),
        database=database(usage.database, usage.database_gib, prices, hours, ha=usage.ha),
        storage=storage(usage.storage_gb, usage.download_gb, prices),
        logging=logging(usage.log_gib, prices),
        monitoring=usage.samples_m * prices.million_samples_usd,
        load_balancer=hours * prices.load_balancer_hour_usd,
    )


def pod(size: MachineSize, prices: Prices, hours: float) -> float:
    """One pod for so long."""
    return hours * (size.cores * prices.pods.vcpu_hour_usd + size.gib * prices.pods.gib_hour_usd)


def cluster(clusters: int, prices: Prices, hours: float) -> float:
    """The fees of so many, less the account's one credit."""
    return max(0.0, clusters * hours * prices.cluster.hour_usd - prices.cluster.credit_usd)


def database(size: MachineSize, storage_gib: float, prices: Prices, hours: float, *, ha: bool) -> float:
    """The instance and its storage."""
    each = prices.database
    once = hours * (size.cores * each.vcpu_hour_usd + size.gib * each.gib_hour_usd) + storage_gib * each.storage_gib_usd
    return once * (each.ha_factor if ha else 1.0)


def storage(kept_gb: float, download_gb: float, prices: Prices) -> float:
    """Kept and downloaded."""
    each = prices.storage
    return max(0.0, kept_gb - each.free_gb) * each.gb_usd + download_gb * each.download_gb_usd


def logging(gib: float, prices: Prices) -> float:
    """Taken in, kept as long as the price includes."""
    return max(0.0, gib - prices.logging.free_gib) * prices.logging.gib_usd


def kept(gib: float, for_s: float, prices: Prices) -> float:
    """A month's logs, ``gib``, kept for ``for_s``: what is kept longer than the price includes is paid by the month."""
    more_months = max(0.0, for_s - prices.logging.included_s) / (30 * DAY_S)
    return logging(gib, prices) + gib * more_months * prices.logging.kept_gib_usd


# -- what is used ----------------------------------------------------------------------------------------------------


def samples_m(tables: CostTables, pods: float) -> float:
    """Millions of samples that the API's own metrics make in a month."""
    return pods * tables.supposed.series_a_pod * tables.month_s / tables.supposed.scrape_s / 1e6


def downloads_gb(tables: CostTables, prices: Prices) -> float:
    """What the printed price of storage leaves for downloads, which the document does not count ("転送")."""
    left = tables.printed.storage_usd - storage(tables.quantities.storage_gb, 0.0, prices)
    return max(0.0, left) / prices.storage.download_gb_usd if prices.storage.download_gb_usd else 0.0


def as_printed(tables: CostTables, prices: Prices) -> MonthUsage:
    """The document's quantities just as its table names them: no sidecar, no fee, storage of the database left out."""
    asked = tables.quantities
    return MonthUsage(
        pods=asked.pods,
        pod=priced_pod(tables),
        clusters=0,
        database=MachineSize(cores=asked.database_vcpus, gib=asked.database_memory_gib),
        database_gib=0.0,
        ha=True,
        storage_gb=asked.storage_gb,
        download_gb=downloads_gb(tables, prices),
        log_gib=asked.log_gb * GB / GIB,
        samples_m=0.0,
    )


def corrected(tables: CostTables, prices: Prices, pod_size: MachineSize, *, pods: float | None = None) -> MonthUsage:
    """The same with what the document leaves out: the sidecar, a cluster's fee, the database's storage, the API's own
    metrics. ``pods``: so many instead of the document's mean.
    """
    count = tables.quantities.pods if pods is None else pods
    return msgspec.structs.replace(
        as_printed(tables, prices),
        pods=count,
        pod=pod_size,
        clusters=1,
        database_gib=tables.supposed.database_storage_bytes / GIB,
        samples_m=samples_m(tables, count),
    )


def measured(tables: CostTables, prices: Prices, pod_size: MachineSize, of: Rates) -> MonthUsage:
    """The corrected quantities, but for what a run measured: its mean of pods; and of the supposed walks of a month the
    logs of their requests, their photos, and what they take of the database's disk, of which none smaller than the
    supposed one is sold. Without the requests of a walk, logs are those of the supposed rate, all month.
    """
    walks, usage = tables.supposed.walks, corrected(tables, prices, pod_size, pods=of.pods)
    log_gib, kept_gib = month_log_gib(tables, of.log_bytes_a_request), usage.database_gib
    if of.log_bytes_a_request is not None and of.requests_a_walk is not None:
        log_gib = of.log_bytes_a_request * of.requests_a_walk * walks / GIB
    if of.database_bytes_a_walk is not None:
        kept_gib = max(kept_gib, of.database_bytes_a_walk * walks / GIB)
    photos = of.photo_bytes_a_walk
    return msgspec.structs.replace(
        usage,
        log_gib=usage.log_gib if log_gib is None else log_gib,
        database_gib=kept_gib,
        storage_gb=usage.storage_gb if photos is None else photos * walks / GB,
    )


def month_log_gib(tables: CostTables, bytes_a_request: float | None) -> float | None:
    """The logs of a month, GiB, at the supposed rate; ``None`` where nobody knows those of a request."""
    return None if bytes_a_request is None else bytes_a_request * tables.supposed.rate_per_s * tables.month_s / GIB


def priced_pod(tables: CostTables) -> MachineSize:
    """The container that the document prices."""
    asked = tables.quantities
    return MachineSize(cores=asked.pod_cpu_milli / 1000, gib=asked.pod_memory_mib / 1024)


# -- comparing -------------------------------------------------------------------------------------------------------


def same(a: float, b: float) -> bool:
    """To the cent."""
    return abs(a - b) < _CENT


def near(computed: float, printed: float, tolerance: float) -> bool:
    """Whether an estimate holds: within ``tolerance`` of what was computed."""
    return same(computed, printed) or abs(computed - printed) <= tolerance * computed


def money(value: float) -> str:
    """As people read it."""
    return show(value, Unit.DOLLARS)
