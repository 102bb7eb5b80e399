"""The kind cluster against a bare ``kind create cluster`` of the same configuration and images, in turn."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import yaml

from bench import clock
from bench.result import Figure, Result, of_runs
from harness.base.clock import MachineClock
from harness.base.errors import RehearsalError
from harness.model.message import Message
from harness.stack.kind import cluster, config, record
from harness.stack.kind.commands import run
from harness.stack.kind.images import choice

NODES_LIMIT_S, RATIO_LIMIT = 45.0, 1.15
_CREATE_LIMIT_S = 300.0
ROUNDS = 3
#: Lines of progress.
BEGUN, JOINED, READY = "creating the cluster", "Joining worker nodes", "nodes ready"


async def bench(_folder: Path) -> Result:
    """Needs Docker. Both count from the first container until the last node has joined, which is the end of bare kind's
    command; ours goes on until all four are ready, for which it brings the network."""
    ours: list[tuple[float, float]] = []
    bare: list[float] = []
    try:
        for _ in range(ROUNDS):
            bare.append(await _bare())
            ours.append(await _ours())
    except RehearsalError as error:
        raise RuntimeError(str(error)) from error
    joined, ready = (list(times) for times in zip(*ours, strict=True))
    ratios = [one / other for one, other in zip(joined, bare, strict=True)]
    figures = (
        Figure(name="ours / bare", value=median(ratios), unit="", limit=RATIO_LIMIT, runs=tuple(ratios)),
        Figure(name="ours, four nodes ready", value=median(ready), unit="s", limit=NODES_LIMIT_S, runs=tuple(ready)),
        of_runs("ours, four nodes joined", "s", joined),
        of_runs("bare kind create cluster", "s", bare, "its nodes have joined, and need not be ready"),
    )
    return Result(name="cluster", how=f"bare kind, then ours, {ROUNDS} times; each deleted again", figures=figures)


async def _ours() -> tuple[float, float]:
    """Seconds until its nodes had joined, and until they were ready."""
    machine = MachineClock()
    marks: dict[str, int] = {}

    def progress(line: Message) -> None:
        for word in (BEGUN, JOINED, READY):
            if word in str(line):
                marks.setdefault(word, clock.now_ns())

    made = await cluster.ensure("bench", machine, progress, kept=False)
    await cluster.delete(made.name, progress)
    return (marks[JOINED] - marks[BEGUN]) / 1e9, (marks[READY] - marks[BEGUN]) / 1e9


async def _bare() -> float:
    images = await choice.ensure_images(_quiet)
    kind = await choice.ensure_kind(_quiet)
    wanted = config.read()
    planned = cluster.plan(record.name_of("bare"), wanted, images, kept=False)
    made = yaml.safe_dump(config.merged(wanted, planned, images)).encode()
    record.write(planned)
    began_ns = clock.now_ns()
    try:
        await run(
            [
                kind,
                "create",
                "cluster",
                "--name",
                planned.name,
                "--kubeconfig",
                str(planned.kubeconfig),
                "--config",
                "-",
            ],
            what="kind create cluster",
            limit_s=_CREATE_LIMIT_S,
            stdin=made,
            environment={"KIND_EXPERIMENTAL_DOCKER_NETWORK": planned.network, cluster.MARKER: planned.name},
        )
        return (clock.now_ns() - began_ns) / 1e9
    finally:
        await cluster.delete(planned.name, _quiet)


def _quiet(_line: Message) -> None:
    """What is made beside the figures is not told."""
