"""``python -m harness operations daily|weekly|monthly``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.base.data import OVERLAYS
from harness.model.stack import Rung
from harness.rehearsal.arguments import Rehearsing, WithTarget
from harness.rehearsal.command import option
from harness.rehearsal.options import Options
from harness.rehearsals.operations.types import OperationsPlan, Task
from harness.report.summary import SUMMARY_MD
from harness.stack.targets import resolve


@dataclass(frozen=True, kw_only=True)
class Operations(Rehearsing, WithTarget):
    """The page that an operator needs: of a day, week, month.

    Of the stack of processes that is up, or of a cluster by its context. It reads, and changes nothing.
    """

    name = "operations"
    example = "daily --context prod --namespace default"

    task: Task = option("which of the document's tasks", Task, choices=tuple(Task), positional=True, metavar="TASK")
    context: str | None = option("a context of the kubeconfig (default: the stack that is up here)", metavar="NAME")
    kubeconfig: str | None = option("the kubeconfig (default: KUBECONFIG, or ~/.kube/config)", metavar="FILE")
    namespace: str = option("the namespace of the pods", default="default", metavar="NAME")

    def planned(self) -> OperationsPlan:
        """Raises ``BadInput`` where there is nothing to look at."""
        from harness.rehearsals.operations.seen import standing
        from harness.stack.kube import access

        if self.context is None:
            standing.the_one()
        else:
            access.look(self.context, self.kubeconfig or "")
        return OperationsPlan(
            task=self.task,
            context=self.context or "",
            kubeconfig=self.kubeconfig or "",
            namespace=self.namespace,
        )

    def resolved(self) -> Options:
        rung = Rung.LOCAL if self.context is None else Rung.KUBE
        return self.at(rung, resolve(self.target), OVERLAYS / rung)

    def ended(self, folder: Path) -> None:
        """Prints the page."""
        if not self.json:
            sys.stdout.write((folder / SUMMARY_MD).read_text("utf-8"))
