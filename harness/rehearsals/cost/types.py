"""The plan of the costs, and what a run of it leaves."""

from __future__ import annotations

import msgspec

from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import Bill, MachineSize, Rates
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import CostTables

#: The parts of the plan: what is computed from the document alone, and from a run.
DOCUMENT, MEASURED = "document", "measured"


class CostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a run. ``of`` is the folder of the stored run that is measured by, "" where there is none."""

    name: str = "cost"
    tables: CostTables
    prices: Prices
    of: str = ""

    @property
    def tolerance(self) -> float:
        """What an estimate may be beside what is due, as a share of it."""
        return self.tables.tolerance

    @property
    def users(self) -> int:
        """Those that are supposed."""
        return self.tables.supposed.users

    @property
    def walks(self) -> float:
        """Of all of them, in a month."""
        return self.tables.supposed.walks

    def as_written(self) -> Bill:
        """The document's quantities at the unit prices."""
        return bill.bill(bill.as_printed(self.tables, self.prices), self.prices, self.tables.hours)

    def corrected(self, pod: PodSizes, pods: float | None = None) -> Bill:
        """With what the document leaves out; ``pods`` on average instead of the document's."""
        usage = bill.corrected(self.tables, self.prices, pod.requested, pods=pods)
        return bill.bill(usage, self.prices, self.tables.hours)

    def by_run(self, pod: PodSizes, run: MeasuredUsage) -> Bill:
        """The corrected month with what the run measured."""
        usage = bill.measured(self.tables, self.prices, pod.requested, run.rates)
        return bill.bill(usage, self.prices, self.tables.hours)

    def month_log_gib(self, run: MeasuredUsage) -> float | None:
        """The logs of a month by those of the run's requests."""
        return bill.month_log_gib(self.tables, run.log_bytes_a_request)


class PodSizes(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifests' pod asks for: all its containers together, and what the API's container may use at most."""

    requested: MachineSize
    api_limits: MachineSize


class MeasuredUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a stored run used. ``seconds`` is from its first request to the API to its last answer, ``pods`` the mean of
    the replicas in that time, ``requests`` those of users and probes. ``log_bytes`` are all that its pods wrote.
    ``walks`` were created by the API, ``kept_walks`` were there by its answers when the load had ended, and
    ``photo_walks`` by either side's; 0 of runs that were read before these were counted. What lay in the stores then,
    and how many ``connections`` PostgreSQL had, is as of its last check. ``None``: the run did not keep it.
    ``injected``: its plan had faults. ``failed`` of the ``requests`` had no good answer; 0 of runs read before.
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
    kept_walks: int = 0
    photo_walks: int = 0
    pods: float | None = None
    log_bytes: int | None = None
    database_bytes: int | None = None
    photo_bytes: int | None = None
    connections: int | None = None
    max_connections: int | None = None
    injected: bool = False
    failed: int = 0

    @property
    def log_bytes_a_request(self) -> float | None:
        """Of what the pods wrote."""
        return _each(self.log_bytes or None, self.requests)

    @property
    def rates(self) -> Rates:
        """What a bill is made of."""
        return Rates(
            pods=self.pods,
            log_bytes_a_request=self.log_bytes_a_request,
            requests_a_walk=_each(self.requests, self.kept_walks),
            database_bytes_a_walk=_each(self.database_bytes or None, self.kept_walks),
            photo_bytes_a_walk=_each(self.photo_bytes or None, self.photo_walks),  # none was put: none was measured
        )


def _each(amount: int | None, count: int) -> float | None:
    """So much of each of so many; ``None`` where nobody knows."""
    return amount / count if amount is not None and count else None


class CostDetails(msgspec.Struct, kw_only=True):
    """The facts: the pod of the manifests, and the run that was read, ``None`` where there was none."""

    pod: PodSizes | None = None
    measured: MeasuredUsage | None = None
