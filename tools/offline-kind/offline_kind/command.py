"""The command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from offline_kind import base, connect, node, programs
from offline_kind.running import Failed

STORE = Path.home() / ".cache" / "offline-kind"


def main(arguments: Sequence[str]) -> int:
    """Print the answer, or with ``--json`` the answer or why there is none; 1 where there is none."""
    asked = parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            asked.scratch = asked.scratch or Path(scratch)
            said: object = asked.answer(asked)
    except Failed as failed:
        if asked.json:
            print(json.dumps({"failed": {"what": failed.what, "where": failed.where, "remedy": failed.remedy}}))
            return 0
        print(f"{failed.what}\n  where: {failed.where}\n  to do: {failed.remedy or 'see above'}", file=sys.stderr)
        return 1
    print(json.dumps({"answer": said}) if asked.json else said)
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = argparse.ArgumentParser(prog="offline-kind", description=sys.modules["offline_kind"].__doc__)
    whole.add_argument("--store", type=Path, default=STORE, help="the folder of built programs and locks")
    whole.add_argument("--scratch", type=Path, help="an empty folder for a build (by default a temporary one)")
    whole.add_argument("--interim", default=f"offline-kind-{os.getpid()}.", help="how names of interim things begin")
    whole.add_argument("--json", action="store_true", help="answer in JSON, a failure too")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    image = commands.add_parser("node-images", help="the images of kind's nodes, built where they are missing")
    image.add_argument("--names", action="store_true", help="their names alone: nothing is built")
    image.set_defaults(answer=_node_images)
    debian = commands.add_parser("base-image", help="an image of Debian packages, made where it is missing")
    debian.add_argument("packages", nargs="*", metavar="PACKAGE")
    debian.add_argument("--name", action="store_true", help="its name alone: nothing is made")
    debian.add_argument("--suite", default="bookworm", choices=("bookworm", "trixie"))
    debian.set_defaults(answer=_base_image)
    program = commands.add_parser("programs", help="the folder of a module's programs, built where they are missing")
    program.add_argument("module", choices=sorted(programs.MODULES))
    program.add_argument("only", nargs="*", metavar="PROGRAM")
    program.set_defaults(answer=_programs)
    listed = commands.add_parser("modules", help="each module: its folder, version and programs; nothing is built")
    listed.set_defaults(answer=_modules)
    source = commands.add_parser("source", help="the folder of a module's source in Go's cache")
    source.add_argument("module", choices=sorted(programs.MODULES))
    source.set_defaults(answer=_source)
    network = commands.add_parser("connect", help="pod networking between the nodes of a cluster of these images")
    network.add_argument("control_plane", metavar="CONTROL_PLANE", help="the container of the control plane")
    network.add_argument("count", type=int, metavar="COUNT", help="how many nodes there are to be")
    network.set_defaults(answer=_connect)
    return whole


def _node_images(asked: argparse.Namespace) -> list[str]:
    if asked.names:
        return list(node.images(asked.store))
    return list(node.ensure(node.Work(asked.store, asked.scratch, asked.interim)))


def _base_image(asked: argparse.Namespace) -> str:
    if asked.name:
        return base.tag(asked.packages, asked.suite)
    return base.ensure(asked.packages, asked.suite, asked.store, asked.scratch)


def _programs(asked: argparse.Namespace) -> str:
    return str(programs.ensure(asked.module, asked.store, asked.only))


def _modules(asked: argparse.Namespace) -> dict[str, dict[str, object]]:
    return {
        name: {"folder": str(each.folder(asked.store)), "version": each.version(), "programs": list(each.programs)}
        for name, each in programs.MODULES.items()
    }


def _source(asked: argparse.Namespace) -> str:
    return str(programs.source(asked.module))


def _connect(asked: argparse.Namespace) -> str:
    connect.connect(asked.control_plane, asked.count)
    return f"{asked.count} nodes are connected"
