"""How everything of a run in Docker and in the cluster is named and marked, so that it is found again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum

from harness.model import manifests
from harness.model.message import Message, message
from harness.stack.state import Lease, may_live
from harness.stack.state.lease import boots, home_mark, identity
from harness.stack.state.processes import ProcessIdentity

PART = manifests.PART
RUN = "tekutoko-rehearsal.run"
OWNER = "tekutoko-rehearsal.owner"
MACHINE = "tekutoko-rehearsal.machine"  # of the owner: machine, space of process ids and folder of state
HOME = "tekutoko-rehearsal.home"  # the owner's folder of state, which several containers may share, no copy does
MANAGED = "app.kubernetes.io/managed-by"
MANAGER = "tekutoko-rehearsal"
ZONE = "topology.kubernetes.io/zone"  # of a node
_LONGEST = 63  # RFC 1123 label
_PID = re.compile(r"^[0-9]{1,9}$")


class Owner(Enum):
    """Whose something in Docker or in a cluster is."""

    LIVE = "a run that is under way"
    DEAD = "a run of ours that is gone"
    FOREIGN = "somebody else: whether they are under way cannot be known here"


def marks(lease: Lease) -> dict[str, str]:
    """What marks a thing as the run's: the run, the process that owns it, its machine and its folder of state."""
    boots()  # this one is the folder's from now on
    return {RUN: lease.run_id, OWNER: owner(lease), MACHINE: identity(), HOME: home_mark()}


def owned(found: Mapping[str, str]) -> Owner:
    """Whose a thing with the marks ``found`` is.

    One Docker engine and one cluster have users in many containers and on many machines. Whether an owner lives shows
    in the folder of state, for whoever shares it, and by the process id for this machine and space of process ids. All
    others are somebody else's, and so is what a boot made in which neither the folder nor the process id was ours.
    """
    pid, _, started = found.get(OWNER, "").partition("/")
    owner = ProcessIdentity(int(pid) if _PID.match(pid) else 0, started)
    here = found.get(HOME) == home_mark() and owner.boot in boots()
    ours = found.get(MACHINE) == identity() and owner.of_this_boot
    if not here and not ours:
        return Owner.FOREIGN
    return Owner.LIVE if (ours and owner.alive()) or (here and may_live(found.get(RUN, ""))) else Owner.DEAD


def left(found: Iterable[str]) -> Message:
    """What is told of things that are ``FOREIGN``, by their names."""
    return message(
        "left alone, as made on another machine, in another container, or with another TEKUTOKO_REHEARSAL_HOME or a "
        "copy of it: {names}",
        names=", ".join(sorted(found)),
    )


def arguments(lease: Lease) -> tuple[str, ...]:
    """``docker run``'s label arguments."""
    return tuple(word for name, value in marks(lease).items() for word in ("--label", f"{name}={value}"))


def owner(lease: Lease) -> str:
    """The process that owns the run, so that a recycled process id is not taken for it."""
    return f"{lease.owner.pid}/{lease.owner.started}"


def container(run_id: str, part: str) -> str:
    """A container's name."""
    return f"{run_id}.{part}"


def namespace(run_id: str) -> str:
    """The run's Kubernetes namespace: ``tekutoko-`` and the run id as an RFC 1123 label."""
    text = re.sub(r"[^a-z0-9-]+", "-", run_id.lower())
    return f"tekutoko-{text}"[:_LONGEST].strip("-")
