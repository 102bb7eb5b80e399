"""``python -m harness operations daily|weekly|monthly``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.base.data import OVERLAYS
from harness.base.errors import BadInput
from harness.model.message import message
from harness.model.stack import EnvironmentKind
from harness.rehearsals.operations.types import LABEL, OperationsPlan, Task
from harness.run.arguments import Rehearsing, WithTarget
from harness.run.command import flag, given_unread, option
from harness.run.options import Options
from harness.stack.target.targets import resolve, resolve_command


@dataclass(frozen=True, kw_only=True)
class OperationsCommand(Rehearsing, WithTarget):
    """An operator's daily, weekly or monthly page.

    It reads the running stack of processes, or a cluster by its context, and changes nothing. With
    --own-stack it brings a stack up, looks at that, and takes it down.
    """

    name = "operations"
    example = "daily --context prod --namespace default"

    task: Task = option("daily, weekly or monthly", Task, choices=tuple(Task), positional=True, metavar="TASK")
    context: str | None = option("a context of the kubeconfig (default: the stack that is up here)", metavar="NAME")
    kubeconfig: str | None = option("the kubeconfig (default: KUBECONFIG, or ~/.kube/config)", metavar="FILE")
    namespace: str = option("the namespace of the pods", default="default", metavar="NAME")
    selector: str = option("the label of the API's pods, as kubectl's -l takes it", default=LABEL, metavar="LABEL")
    own_stack: bool = option("bring up a stack of processes to look at", default=False)

    def unread(self) -> tuple[str, ...]:
        """What says which pods of a cluster, where there is none."""
        return ("kubeconfig", "namespace", "selector") if self.context is None else ()

    def planned(self) -> OperationsPlan:
        """Raises ``BadInput`` where there is nothing to look at."""
        if self.own_stack and self.context is not None:
            raise BadInput("--own-stack and --context name two things to look at", remedy="leave one out")
        from harness.rehearsals.operations.seen import standing
        from harness.stack.kube import access

        if more := sorted(given_unread(self)):
            told = message("{options}: of --context alone", options=", ".join(map(flag, more)))
            raise BadInput(told, remedy="add --context NAME")
        if self.context is not None:
            access.look(self.context, self.kubeconfig or "")
        elif not self.own_stack:
            standing.must_be_of(resolve(self.target))
        return OperationsPlan(
            task=self.task,
            context=self.context or "",
            kubeconfig=self.kubeconfig or "",
            namespace=self.namespace,
            selector=self.selector,
            own_stack=self.own_stack,
        )

    def resolved(self) -> Options:
        rung = EnvironmentKind.LOCAL if self.context is None else EnvironmentKind.KUBE
        target = resolve_command(self.target) if self.own_stack else resolve(self.target)
        return self.at(rung, target, OVERLAYS / rung)

    def ended(self, folder: Path) -> None:
        """Prints the page; one that the disk refused the closing lines tell."""
        from harness.report.html import SUMMARY_MD  # Jinja loads when a page is needed

        if not self.json and (folder / SUMMARY_MD).is_file():
            sys.stdout.write((folder / SUMMARY_MD).read_text("utf-8"))
