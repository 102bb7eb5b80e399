"""A list of unit prices: scenarios/plans/prices.yaml, which a team replaces by ``--prices``."""

from __future__ import annotations

from typing import Annotated

import msgspec

from harness.base.units import Dollars, Ratio, Seconds

Amount = Annotated[float, msgspec.Meta(ge=0, examples=[100])]


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
    """A list of unit prices as of a day, of one ``region``; ``source`` says where they were read. Google has one price
    for all regions of a cluster's fee, of logs and samples, and one share of a commitment.
    """

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
