"""What a rehearsal asks to be given."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.manifests import Manifests
from harness.model.stack import Capability
from harness.stack.protocol import SecretsPlan


@dataclass(frozen=True)
class StackNeeds:
    """A stack with these ``manifests``. ``peak_pods`` are to fit a cluster's CPU at once; ``gate``: faults are put
    between the service and its pods; ``use_kept``: slow parts that were kept running may be taken over;
    ``every_program``: a PostgreSQL with its programs for backups and standbys; ``secrets``: of rungs with a store.
    """

    manifests: Manifests
    peak_pods: int | None = None
    gate: bool = False
    use_kept: bool = True
    every_program: bool = False
    secrets: SecretsPlan | None = None


@dataclass(frozen=True)
class Needs:
    """``stack`` ``None``: the rehearsal runs without one. Without the ``capabilities`` it is refused before it begins;
    what a part alone needs is that part's. Who can do without real processes, and so in virtual time, says so.
    """

    stack: StackNeeds | None = None
    capabilities: frozenset[Capability] = frozenset({Capability.REAL_PROCESSES})
