"""A real Prometheus and a real Alertmanager of this run, on loopback, and what is asked of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import psutil

from harness.base.clock import Clock
from harness.base.errors import PartDied, StackNotStarted
from harness.model.message import message
from harness.model.stack import Address
from harness.rehearsals.alert_drill.receivers import HOST
from harness.stack.firebase import rest
from harness.stack.kind.commands import run
from harness.stack.process.processes import tail
from harness.stack.state import MARKER

READY_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0
_ANSWER_LIMIT_S = 60.0
_POLL_S = 0.2
_BACKFILL_LIMIT_S = 240.0
_RETENTION = "60d"  # of the made history; Prometheus' own 15 days would drop it


def prometheus_flags(config: Path, data: Path, port: int) -> tuple[str, ...]:
    """How Prometheus is started on a configuration and its blocks."""
    return (
        f"--config.file={config}", f"--storage.tsdb.path={data}", f"--storage.tsdb.retention.time={_RETENTION}",
        f"--web.listen-address={HOST}:{port}",
    )  # fmt: skip


class Program:
    """One of them. ``watch`` raises when it ends by itself."""

    def __init__(self, name: str, run_id: str, log: Path, port: int) -> None:
        self.name, self.address = name, Address(host=HOST, port=port)
        self._run_id, self._log = run_id, log
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def start(self, *command: str | Path) -> None:
        """Starts it. Raises ``StackNotStarted`` where it cannot be run."""
        with self._log.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *map(str, command),
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    env={**os.environ, MARKER: self._run_id},
                )  # fmt: skip
            except OSError as error:
                raise StackNotStarted(
                    message("{name} cannot be run: {strerror}", name=self.name, strerror=str(error.strerror)),
                    where=str(command[0]),
                ) from error

    async def ready(self, clock: Clock) -> None:
        """Returns once it says so. Raises ``StackNotStarted``."""
        for _ in range(round(READY_LIMIT_S / _POLL_S)):
            with contextlib.suppress(OSError, EOFError):
                if (await rest.request(self.address, "GET", "/-/ready", timeout_s=2.0)).status == 200:
                    return
            if self._process is None or self._process.returncode is not None:
                break
            await clock.sleep(_POLL_S)
        raise StackNotStarted(
            message("{name} is not ready\n{log}", name=self.name, log=tail(self._log)), where=str(self._log)
        )

    async def ask(self, path: str) -> Any:
        """What its API answers. Raises ``PartDied``, also for any other status than 200."""
        return self.said(await self.get(path))

    async def get(self, path: str) -> rest.Answer:
        """Its answer, whatever its status. Raises ``PartDied`` where there is none."""
        try:
            return await rest.request(self.address, "GET", path, timeout_s=_ANSWER_LIMIT_S)
        except (OSError, EOFError) as error:
            raise PartDied(
                message(
                    "{name} does not answer: {error}\n{log}", name=self.name, error=str(error), log=tail(self._log)
                ),
                where=str(self._log),
            ) from error

    def said(self, answer: rest.Answer) -> Any:
        """What it says. Raises ``PartDied`` for any other status than 200."""
        if answer.status != 200:
            raise PartDied(
                message(
                    "{name} answered {status}: {body}",
                    name=self.name,
                    status=str(answer.status),
                    body=repr(answer.body[:300]),
                ),
                where=str(self._log),
            )
        return msgspec.json.decode(answer.body)

    async def watch(self) -> None:
        """Until it is taken down. Raises ``PartDied``."""
        assert self._process is not None
        await self._process.wait()
        if not self._stopping:
            raise PartDied(message("{name} died\n{log}", name=self.name, log=tail(self._log)), where=str(self._log))

    async def down(self) -> None:
        """Ends it; idempotent."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def leaks(self) -> list[str]:
        """Itself, where it lives on."""
        living = self._process is not None and self._process.returncode is None and psutil.pid_exists(self._process.pid)
        return [f"{self.name} (process {self._process.pid})"] if living and self._process else []


async def emitted_by(prometheus: Program, matcher: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Of every metric with series that ``matcher`` matches the labels and their values, without those of scraping."""
    answer = await prometheus.ask("/api/v1/series?match[]=" + quote(f"{{{matcher}}}"))
    found: dict[str, dict[str, set[str]]] = {}
    for each in answer["data"]:
        metric = found.setdefault(each["__name__"], {})
        for label in each.keys() - {"__name__", "job", "instance"}:
            metric.setdefault(label, set()).add(each[label])
    return {name: {key: tuple(sorted(values)) for key, values in labels.items()} for name, labels in found.items()}


async def ever_up(prometheus: Program, over: str) -> dict[str, int]:
    """By job how many of its instances answered a scrape within the last ``over`` (a duration of PromQL), at the same
    time or not. A job of which none did is not there."""
    return await _by_job(prometheus, f"max_over_time(up[{over}]) == 1")


async def ever_asked(prometheus: Program, over: str) -> dict[str, int]:
    """The same, of those besides that were asked three times and never answered: one that came a moment ago had no time
    to."""
    return await _by_job(prometheus, f"max_over_time(up[{over}]) == 1 or count_over_time(up[{over}]) >= 3")


async def _by_job(prometheus: Program, instances: str) -> dict[str, int]:
    answer = await prometheus.ask(f"/api/v1/query?query={quote(f'count by (job) ({instances})')}")
    return {each["metric"]["job"]: int(each["value"][1]) for each in answer["data"]["result"]}


class PrometheusBlocks:
    """Prometheus' blocks, which are large, and nothing that a judge reads: they go with the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def backfill(self, promtool: Path, content: str) -> None:
        """Makes blocks of OpenMetrics text. Raises ``StackNotStarted``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder.with_suffix(".om")
        file.write_text(content)
        command: list[str | Path] = [
            promtool,
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--max-block-duration=800h",
            file,
            self.folder,
        ]
        await run(command, what="making the history", limit_s=_BACKFILL_LIMIT_S)
        file.unlink()

    async def down(self) -> None:
        """Removes it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def leaks(self) -> list[str]:
        """The folder, where it stayed."""
        return [str(self.folder)] if self.folder.exists() else []
