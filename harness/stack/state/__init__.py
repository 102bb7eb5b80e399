"""The machine-wide state of runs under way: who owns what, so that nothing a killed run left stays for ever.

``home()/runs/<run id>/`` holds a run's lease (owner, parts, ports) and its data folders. Every process of a run
carries ``TEKUTOKO_RUN_ID``. ``sweep`` ends and removes what belongs to runs whose owner is dead, and touches nothing
else: several runs may be live at once, in one container or in several that share the folder. That an owner lives is
seen by the lock that it holds (``held``).
"""

from harness.stack.state.lease import (
    MARKER,
    PART_MARKER,
    Lease,
    LeaseCondition,
    PartRecord,
    RunState,
    condition,
    lives,
    may_live,
    remove_run_folder,
    run_folder,
)
from harness.stack.state.ports import PortHolder, PortSlot, holder_of
from harness.stack.state.processes import ProcessIdentity, identify, marked
from harness.stack.state.sweeping import dead_runs, sweep

__all__ = [
    "MARKER",
    "PART_MARKER",
    "Lease",
    "LeaseCondition",
    "PartRecord",
    "PortHolder",
    "PortSlot",
    "ProcessIdentity",
    "RunState",
    "condition",
    "dead_runs",
    "holder_of",
    "identify",
    "lives",
    "marked",
    "may_live",
    "remove_run_folder",
    "run_folder",
    "sweep",
]
