"""What every rehearsal is asked for, whatever its plan: where it runs, on what, with which seed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.model.stack import EnvironmentKind, OwnCluster, Target


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line says besides the plan, resolved. What it says of the plan is in the plan itself.

    ``rung_reason`` is a message id, ``replay`` the command that runs this again. ``own_cluster`` is of the rung
    ``kube``. ``signals_at_once``: on ``local`` a leaving pod is signalled while the Service still leads to it. So many
    ``workers`` make the users' requests, in pods of the cluster with ``load_from_cluster``. ``lang`` is the language
    of the pages. ``only``, ``own``, ``smaller`` and ``in_place`` are as in ``Facts``.
    """

    rung: EnvironmentKind
    rung_reason: str = ""
    target: Target
    seed: int
    reports: Path
    manifests: Path
    replay: str
    service_port: int | None = None
    own_cluster: OwnCluster | None = None
    signals_at_once: bool = False
    load_from_cluster: bool = False
    workers: int = 1
    lang: str = "en"
    only: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    smaller: tuple[str, ...] = ()
    in_place: tuple[str, ...] = ()
