"""A load plan against the quick server: everything at its one address."""

from __future__ import annotations

from harness.base.clock import MachineClock
from harness.load.plan import LoadPlan
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan
from harness.model.stack import Address, Endpoints


def plan_at(port: int, *, users: int, pace_s: float, spool: str = "") -> LoadPlan:
    """All of ``users`` on the API. One probe a second: the requests are what is measured."""
    address = Address(host="127.0.0.1", port=port)
    return LoadPlan(
        run_id="bench",
        seed=1,
        population=PopulationPlan(
            audiences=(AudiencePlan(name="all", users=users, flag_on=users),), pace_s=pace_s, fetch_interval_s=3600
        ),
        probes=ProbePlan(rate_per_s=1.0),
        endpoints=Endpoints(service=address, auth=address, firestore=address, remote_config=address, database=address),
        anchor=MachineClock().anchor,
        spool=spool,
    )
