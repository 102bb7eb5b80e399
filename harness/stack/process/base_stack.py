"""What a ``Stack`` of real processes does on any rung: brought up once, followed, taken down once, its traces kept."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, NotRequired, TypedDict, Unpack

import msgspec

from harness.base.clock import Clock
from harness.base.errors import BadInput, PartDied, RehearsalError, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.evidence import EventRow, SampleRow
from harness.model.flag import Template
from harness.model.manifests import Manifests
from harness.model.message import ProgressCallback, message, of_error
from harness.model.stack import Address, Endpoints, Target
from harness.stack.firebase import rest
from harness.stack.firebase.template import JsonTemplate, decode, to_json
from harness.stack.process.feed import Feed
from harness.stack.state import RunState, holder_of
from harness.stack.state.leaks import NOT_DOWN, Traces, leaks, shared_files
from harness.stack.state.ports import can_bind

# The rehearsal's own side of Remote Config: publish and roll back, over REST as a person's tool would.

_ATTEMPTS = 3


async def publish(address: Address, project_id: str, template: Template, *, timeout_s: float = 5.0) -> int:
    """Makes ``template`` the active one and returns its version.

    Against the ETag just read, as Firebase's guide asks; tried again when somebody else published in between. Raises
    ``BadInput`` when the template is refused, ``PartDied`` when Remote Config does not answer.
    """
    try:
        body = msgspec.json.encode(to_json(template))
    except ValueError as error:
        raise BadInput(str(error), where="the Remote Config template") from error
    for attempt in range(_ATTEMPTS):
        now = await _request(address, "GET", _path(project_id), timeout_s=timeout_s)
        etag = now.headers.get("etag", "")
        answer = await _request(
            address, "PUT", _path(project_id), body=body, headers={"If-Match": etag}, timeout_s=timeout_s
        )
        if answer.status == 200 or b"[VERSION_MISMATCH]" not in answer.body or attempt == _ATTEMPTS - 1:
            break
    return _number(_document(answer, address))


async def rollback(address: Address, project_id: str, version: int, *, timeout_s: float = 5.0) -> int:
    """Publishes an older version again and returns the new version. Raises as ``publish``."""
    body = msgspec.json.encode({"versionNumber": str(version)})
    answer = await _request(address, "POST", f"{_path(project_id)}:rollback", body=body, timeout_s=timeout_s)
    return _number(_document(answer, address))


def _path(project_id: str) -> str:
    return f"/v1/projects/{project_id}/remoteConfig"


def _number(document: JsonTemplate) -> int:
    return int(document.version.versionNumber) if document.version else 0


def _document(answer: rest.Answer, address: Address) -> JsonTemplate:
    where = f"Remote Config on {address}"
    if answer.status >= 500:
        raise PartDied(
            message("Remote Config answered {status}", status=str(answer.status)),
            where=where,
            remedy="read the log of remote_config",
        )
    if answer.status != 200:
        raise BadInput(
            message(
                "Remote Config refused: {status} {body}",
                status=str(answer.status),
                body=str(answer.body[:500].decode(errors="replace")),
            ),
            where=where,
        )
    return decode(answer.body)


async def _request(
    address: Address,
    method: str,
    path: str,
    *,
    timeout_s: float,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> rest.Answer:
    try:
        return await rest.request(address, method, path, body=body, headers=headers, timeout_s=timeout_s)
    except OSError as error:
        raise PartDied(
            message("Remote Config does not answer: {why}", why=str(error or type(error).__name__)),
            where=str(address),
            remedy="read the log of remote_config in the run's folder",
        ) from error


class Common(TypedDict):
    """What every stack of real processes is made of. ``service_port`` ``None`` takes a free one."""

    run_id: str
    manifests: Manifests
    target: Target
    folder: Path
    clock: Clock
    service_port: NotRequired[int | None]
    fault_proxy: NotRequired[bool]
    progress: ProgressCallback


class BaseStack(ABC):
    """The first part of a stack; who inherits makes the others, says where they answer, and takes them away again."""

    def __init__(self, **common: Unpack[Common]) -> None:
        self._run_id = common["run_id"]
        self._manifests = common["manifests"]
        self._target = common["target"]
        self._logs_folder = common["folder"] / "logs"
        self._clock = common["clock"]
        self._service_port = common.get("service_port")
        self._with_fault_proxy = common.get("fault_proxy", False)
        self._progress = common["progress"]
        self._feed = Feed(self._clock)
        self._state: RunState | None = None
        self._down: asyncio.Task[None] | None = None
        self._shared_before: frozenset[str] = frozenset()
        self._traces: Traces | None = None

    @abstractmethod
    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""

    @abstractmethod
    async def _take_parts_down(self) -> None:
        """Everything that ``up`` made, as far as it came."""

    def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Every event and sample from the first moment of ``up``; ends after ``down``; raises ``PartDied``."""
        return self._feed.follow()

    async def set_flag(self, template: Template) -> int:
        """Publishes to the Remote Config emulator."""
        endpoints = self.endpoints()
        return await publish(endpoints.remote_config, endpoints.project_id, template)

    async def down(self) -> None:
        """Bounded, whatever state the stack is in. When cancelled it goes on; a second call waits for the first."""
        if self._down is None:
            self._down = asyncio.ensure_future(self._take_down())
        await asyncio.shield(self._down)

    def leaks(self) -> list[str]:
        """Valid after ``down``; of one that did not come to its end that is a leak itself."""
        if self._traces is not None:
            return leaks(self._traces)
        return [] if self._state is None or self._down is None else [NOT_DOWN]

    def _begin(self) -> RunState:
        """The run's state on this machine. Raises ``StackNotStarted`` the second time, or when its port is taken."""
        if self._state is not None or self._down is not None:
            raise StackNotStarted("a stack is brought up once", remedy="make a new one")
        self._refuse_taken_port()
        self._shared_before = shared_files()
        self._state = RunState.begin(self._run_id)
        self._logs_folder.mkdir(parents=True, exist_ok=True)
        return self._state

    def _refuse_taken_port(self) -> None:
        port = self._service_port
        if port is None or can_bind(port):
            return
        holder = holder_of(port)
        raise StackNotStarted(
            f"the service's port {port} is taken" + (f" by {holder}" if holder else " or may not be bound"),
            where=f"127.0.0.1:{port}",
            remedy="end that process, or choose another port with --service-port (by default a free one is taken)",
        )

    async def _unless_dead(self, work: Coroutine[Any, Any, None], death: asyncio.Future[None]) -> None:
        """``work``, ended by the first part that dies meanwhile: ``StackNotStarted``. Raises what ``work`` raises."""
        bring_up = asyncio.ensure_future(work)
        try:
            await asyncio.wait([bring_up, death], return_when=asyncio.FIRST_COMPLETED)
            if bring_up.done():
                bring_up.result()
            elif (died := death.exception()) is not None:
                if not isinstance(died, PartDied):
                    raise died
                remedy = message("read the log; `{program} doctor` says what this machine lacks", program=PROGRAM)
                raise StackNotStarted(died.told, where=died.given[1], remedy=remedy) from died
        finally:
            bring_up.cancel()
            await asyncio.gather(bring_up, return_exceptions=True)

    async def _take_down(self) -> None:
        state = self._state
        if state is None:
            self._feed.close()
            return
        try:
            await self._noting(self._take_parts_down())
        finally:  # whatever broke it: what it left is looked for
            self._traces = Traces.of(state, self._shared_before)
            with contextlib.suppress(OSError, StackNotStarted):  # then the leak check names the folder
                state.end()
            self._feed.close()

    async def _noting(self, work: Coroutine[Any, Any, None]) -> None:
        """What could not be taken down is told, and found again by the leak check."""
        try:
            await work
        except RehearsalError as error:
            self._progress(message("tear down: {why}", why=of_error(error)))
