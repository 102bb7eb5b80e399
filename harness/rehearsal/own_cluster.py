"""``--on kube --context NAME``: its options, the confirmation that it needs, and what is taken down there by hand."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.home import home
from harness.model.stack import OwnCluster, Rung

_WORDS = ("context", "kubeconfig", "image_registry")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options of the rung ``kube``."""
    group = command.add_argument_group("somebody's own cluster (--on kube)")
    group.add_argument("--context", metavar="NAME", help="a context of the kubeconfig; never the current one by itself")
    group.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig (default: KUBECONFIG, or ~/.kube/config)")
    group.add_argument(
        "--image-registry", metavar="PREFIX", help="where the nodes pull our images from (default: they have them)"
    )
    group.add_argument(
        "--yes-use-this-cluster", action="store_true", help="confirms that a namespace may be made on that cluster"
    )


def from_arguments(arguments: argparse.Namespace, rung: Rung) -> OwnCluster | None:
    """The cluster, confirmed; ``None`` on another rung. Asks on a terminal. Raises ``BadInput`` where nobody confirms.

    Nothing is asked of the cluster here.
    """
    if rung is not Rung.KUBE:
        if named := [name for name in _WORDS if getattr(arguments, name)]:
            raise BadInput(
                f"--{named[0].replace('_', '-')} belongs to --on kube", remedy="add --on kube, or leave it out"
            )
        return None
    from harness.stack.kube import access

    if not arguments.context:
        raise BadInput(
            "--on kube needs --context: no cluster is used because it happens to be the current one",
            remedy="kubectl config get-contexts shows the names",
        )
    cluster = access.look(arguments.context, arguments.kubeconfig or "", registry=arguments.image_registry or "")
    if not arguments.yes_use_this_cluster:
        if not _confirmed(cluster, access.made(cluster)):
            raise access.unconfirmed(cluster)
        arguments.yes_use_this_cluster = True  # a rollout asks once
    return cluster


def words(arguments: argparse.Namespace) -> list[str]:
    """The options as typed, for a replay; the confirmation is given anew each time."""
    found = [(f"--{name.replace('_', '-')}", getattr(arguments, name)) for name in _WORDS]
    return [word for name, text in found if text for word in (name, text)]


def down(arguments: argparse.Namespace) -> list[str]:
    """Removes the namespaces that killed runs of this machine left on the cluster, one line each.

    Raises ``BadInput``, ``StackNotStarted``.
    """
    from harness.base.clock import MachineClock
    from harness.stack.kube import leftovers

    cluster = from_arguments(arguments, Rung.KUBE)
    assert cluster is not None
    lines: list[str] = []
    asyncio.run(leftovers.take_down(cluster, home(), MachineClock(), lines.append))
    return lines


def kubeconfig_words(arguments: argparse.Namespace) -> list[str]:
    """For a process that is started elsewhere with the same cluster, already confirmed."""
    if not arguments.context:
        return []
    named = [word if not Path(word).is_file() else str(Path(word).absolute()) for word in words(arguments)]
    return [*named, "--yes-use-this-cluster"]


def _confirmed(cluster: OwnCluster, made: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{made}.\nType the context's name to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == cluster.context
