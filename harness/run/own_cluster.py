"""``--on kube --context NAME``: its options, the confirmation that it needs, and what is taken down there by hand."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

from harness.base.errors import BadInput
from harness.base.home import home
from harness.model.message import Message, message
from harness.model.stack import EnvironmentKind, OwnCluster
from harness.run.command import Command, flag, given, option


@dataclass(frozen=True, kw_only=True)
class OnCluster(Command):
    """Somebody's own cluster (--on kube)."""

    context: str | None = option("a context of the kubeconfig; the current one is never taken unasked", metavar="NAME")
    kubeconfig: str | None = option("the kubeconfig (default: KUBECONFIG, or ~/.kube/config)", metavar="FILE")
    image_registry: str | None = option(
        "where the nodes pull our images from (default: they have them)", metavar="PREFIX"
    )
    yes_use_this_cluster: bool = option(
        "let the run make a namespace on that cluster", default=False, replayed=False, consent=True
    )

    def confirmed(self, rung: EnvironmentKind) -> OwnCluster | None:
        """The cluster; ``None`` on another rung. Asks on a terminal. Raises ``BadInput`` where nobody confirms.

        Nothing is asked of the cluster here.
        """
        if rung is not EnvironmentKind.KUBE:
            for name in ("context", "kubeconfig", "image_registry", "yes_use_this_cluster"):
                if name in given(self):
                    told = message("{option} belongs to --on kube", option=flag(name))
                    raise BadInput(told, remedy="add --on kube, or leave it out")
            return None
        from harness.stack.kube import access

        if not self.context:
            raise BadInput(
                "--on kube needs --context: no cluster is used because it happens to be the current one",
                remedy="kubectl config get-contexts shows the names",
            )
        cluster = access.look(self.context, self.kubeconfig or "", registry=self.image_registry or "")
        if not self.yes_use_this_cluster and not _confirmed(cluster.context, access.made(cluster)):
            raise access.unconfirmed(cluster)
        return cluster


def take_down(cluster: OwnCluster) -> list[Message]:
    """Removes the namespaces that killed runs of this machine left on the cluster, one line each.

    Raises ``StackNotStarted``.
    """
    from harness.base.clock import MachineClock
    from harness.stack.kube import access

    lines: list[Message] = []
    asyncio.run(access.take_down(cluster, home(), MachineClock(), lines.append))
    return lines


def _confirmed(context: str, made: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{made}.\nType the context's name to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == context
