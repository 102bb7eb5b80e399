"""The plan of an operator's task, and what a run of it leaves."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.rehearsals.operations.seen.facts import ObservedStack, Reviewed


class Task(StrEnum):
    """How often (運用タスク)."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


#: What the document's manifests give the API's pods.
LABEL = "app=tekutoko-api"


class OperationsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``context``, ``namespace`` and ``selector`` name a cluster's pods; without a context it is the stack of processes
    that is up, with ``own_stack`` one that the run brings up to look at."""

    name: str = "operations"
    task: Task
    context: str = ""
    kubeconfig: str = ""
    namespace: str = "default"
    selector: str = LABEL
    own_stack: bool = False


class OperationsDetails(msgspec.Struct, kw_only=True):
    """The facts: what was seen, and where the claims of the topics stand."""

    observed: ObservedStack | None = None
    reviewed: list[Reviewed] = []
