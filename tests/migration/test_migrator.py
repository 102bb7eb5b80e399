"""A migrator is watched while it runs: how few walks were there, and when it is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.errors import BadInput
from harness.model.manifests import Manifests
from harness.rehearsals.migration_drill.rehearsal import Kill, MigrationDrill, Migrator, must_be_there
from harness.rehearsals.migration_drill.types import DrillPlan, MigratorAttempt
from harness.run.options import Options


class Passing:
    """A clock on which every sleep is over at once, and a process that ends by it after ``lasts_s``."""

    def __init__(self, lasts_s: float) -> None:
        self.at_ns, self.lasts_s, self.killed = 0, lasts_s, False
        self.pid = 1

    def now_ns(self) -> int:
        return self.at_ns

    async def sleep(self, seconds: float) -> None:
        self.at_ns += round(seconds * NS)

    @property
    def returncode(self) -> int | None:
        return -signal.SIGKILL if self.killed else 0 if self.at_ns >= self.lasts_s * NS else None

    async def wait(self) -> int | None:
        return self.returncode


async def ran(
    monkeypatch: pytest.MonkeyPatch, folder: Path, lasts_s: float, there: Iterator[int | None], kill: Kill | None
) -> MigratorAttempt:
    """Of a process of ``lasts_s``, during which each look at PostgreSQL sees the next of ``there``."""
    process = Passing(lasts_s)

    async def begun(*_: object, **__: object) -> Passing:
        return process

    async def counted() -> int | None:
        return next(there)

    def ended(pid: int, _: int) -> None:
        assert pid == process.pid
        process.killed = process.killed or process.returncode is None

    (folder / "logs").mkdir()
    monkeypatch.setattr(asyncio, "create_subprocess_exec", begun)
    monkeypatch.setattr(os, "killpg", ended)
    migrator = Migrator(("theirs",), {}, folder, process)  # type: ignore[arg-type]
    return await migrator.run(counted, 60.0, kill)


async def test_the_fewest_walks_that_were_there_while_it_ran_are_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It emptied the table, and kept it to itself for a while; 2 s are four looks, and one at the end."""
    found = await ran(monkeypatch, tmp_path, 2.2, iter([5_000, None, 20, 4_000, 10_000]), None)
    assert (found.walks, found.least, found.killed, found.status) == (10_000, 20, False, 0)


async def test_one_that_is_to_be_killed_is_watched_before_it_and_is_once_so_many_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kill = Kill(walks=100, after_s=1.2)
    found = await ran(monkeypatch, tmp_path, 60.0, iter([500, 0, 99, None, 100, 101]), kill)
    assert (found.walks, found.least, found.killed, found.status) == (101, 0, True, -signal.SIGKILL)
    assert found.seconds == pytest.approx(1.3)


async def test_a_table_that_its_last_statement_keeps_to_itself_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """PostgreSQL notices that a client was killed only when it has something to tell it."""
    looks: Iterator[int | None] = iter([100, None, None, 4_000])
    found = await ran(monkeypatch, tmp_path, 60.0, looks, Kill(walks=100, after_s=0.5))
    assert (found.walks, found.killed, found.status) == (4_000, True, -signal.SIGKILL)


def test_a_program_that_is_not_there_is_refused_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack was brought up for it, and 10,000 walks planted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("#!/bin/sh")
    for word, why in (("./gone", "is not there"), ("no-such-migrator", "on the PATH"), ("./text", "is not executable")):
        plan = msgspec.structs.replace(DrillPlan(), migrator=(word, "--all"))
        with pytest.raises(BadInput, match=why) as refused:
            MigrationDrill().stack_spec(plan, cast(Options, None), cast(Manifests, None))
        assert refused.value.where == "--migrator"
    (tmp_path / "text").chmod(0o755)
    for words in (("./text", "--all"), ("sh", "-c", "true"), ()):
        must_be_there(words)
