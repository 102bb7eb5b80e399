"""The process: the real adapters, uvicorn, and the ten seconds from SIGTERM to exit status 0."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import resource
import select
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from api.app import build_app
from api.clock import SystemClock, pause
from api.cloud_storage import CloudStorage
from api.ids import SystemIds
from api.logs import Bridge, Log
from api.metrics_port import MetricsServer, listening, page
from api.ports import MirrorSink, Ports
from api.postgres import PostgresDatabase
from api.protocol import SPARE, LimitedProtocol, Limits
from api.service import CANCELLED_S, CLOSE_S, GRACE_S, MIRROR_S, Service
from api.settings import Settings

SERVER_S = 0.2  # uvicorn's own: it sees the signal within a tenth of a second, and waits another
REQUESTS_S = int(GRACE_S - SERVER_S - CANCELLED_S - MIRROR_S - CLOSE_S)  # the mirror goes on meanwhile
CLOSING_S = 1.0  # of those, within which idle connections are closed one by one; what is left then at once
UNREAD_S = 0.02  # within which the loop reads what a connection had
METRICS_STOP_S = 1
OTHER_FILES = 128  # the database pool, the mirror, Storage, the log, the event loop
PORT_TAKEN = 3  # uvicorn's exit status for it
#: What the kernel takes of an answer that its client does not read, doubled by it; left alone it takes megabytes.
SEND_BUFFER_BYTES = 64 * 1024


class _Server(uvicorn.Server):
    """uvicorn would raise the signal again after an orderly stop, and the process would die of it.

    It would also close every idle connection in one go, with the requests that came meanwhile unread: those of hundreds
    of users take tens of milliseconds, and a CREATE that meets one of them nobody may send again (RFC 9112, 9.5).
    """

    service: Service
    metrics: MetricsServer | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Installs the handlers for as long as the server runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepted connections inherit the buffer of their listening socket."""
        await super().startup(sockets)
        for listener in (each for server in self.servers for each in server.sockets):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nothing new is accepted; what was sent on kept connections before their end is still answered."""
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for connection in list(self.server_state.connections):
            if not _has_unread(connection.transport):
                connection.shutdown()
            if loop.time() < began + CLOSING_S:
                await pause(0)  # the loop closes this one's socket, and reads what came on the others
        await pause(UNREAD_S)
        if self.config.timeout_graceful_shutdown is not None:  # asyncio's, which takes fractions
            self.config.timeout_graceful_shutdown -= loop.time() - began  # type: ignore[assignment]
        await super().shutdown(sockets)

    def _stop(self) -> None:
        self.service.begin_stop()
        self.should_exit = True
        if self.metrics is not None:
            self.metrics.should_exit = True


def _has_unread(transport: asyncio.Transport) -> bool:
    """Whether the kernel holds bytes for a connection, or its end, which the loop has not read yet."""
    if transport.is_closing():
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket"), select.POLLIN)
    return bool(poll.poll(0))


def ports(settings: Settings) -> Ports:
    """The real adapters. Imports firebase-admin, and gRPC where something is mirrored."""
    from api import firebase_app
    from api.certificates import Certificates
    from api.firebase_tokens import FirebaseTokens

    clock = SystemClock()
    app = firebase_app.start(settings)
    mirror: MirrorSink | None = None
    if settings.mirror_share_percent:
        from api.firestore_mirror import FirestoreMirror

        mirror = FirestoreMirror(settings, app)
    return Ports(
        database=PostgresDatabase(settings.database, clock, settings.pod_name),
        tokens=FirebaseTokens(app, clock, None if settings.auth_emulator_host else Certificates(clock)),
        clock=clock,
        ids=SystemIds(),
        storage=CloudStorage(settings.storage_emulator_host, settings.project_id)
        if settings.storage_emulator_host
        else None,
        mirror=mirror,
    )


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; the exit status: ``PORT_TAKEN`` when a port is taken."""
    log = Log(SystemClock(), pod_name=settings.pod_name, level=settings.log_level, form=settings.log_format)
    logging.basicConfig(handlers=[Bridge(log)], level=logging.INFO, force=True)
    metrics_socket = None
    if settings.metrics_port:
        try:
            metrics_socket = listening(settings.host, settings.metrics_port)
        except OSError as error:
            log.error(f"METRICS_PORT={settings.metrics_port} cannot be listened on: {error}")  # noqa: TRY400
            return PORT_TAKEN
    app = build_app(settings, ports(settings), log)
    server = _Server(config_of(app, app.state.service, settings, lifespan="on", graceful_s=REQUESTS_S))
    server.service = app.state.service
    if metrics_socket is not None:
        metrics_page = page(app.state.service)
        server.metrics = MetricsServer(
            config_of(metrics_page, app.state.service, settings, lifespan="off", graceful_s=METRICS_STOP_S)
        )
    gc.collect()
    gc.freeze()  # what start-up made stays: later collections need not walk it
    asyncio.run(_both(server, metrics_socket))
    return 0 if server.started else 1


async def _both(server: _Server, metrics_socket: socket.socket | None) -> None:
    """The API, and beside it its metrics."""
    beside = None
    if server.metrics is not None and metrics_socket is not None:
        beside = asyncio.create_task(server.metrics.serve(sockets=[metrics_socket]))
    await server.serve()
    if server.metrics is not None and beside is not None:
        server.metrics.should_exit = True
        await beside


def most_connections(settings: Settings) -> int:
    """What is asked for, or fewer where the process may not open so many files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return settings.max_connections
    return max(1, min(settings.max_connections, files - SPARE - OTHER_FILES))


def config_of(app: Any, service: Service, settings: Settings, *, lifespan: str, graceful_s: int) -> uvicorn.Config:
    limits = Limits(message_bytes=2 * settings.max_body_bytes, connections=most_connections(settings))
    protocol: Any = functools.partial(LimitedProtocol, limits=limits, refused=service.metrics.refuse)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="asyncio",
        http=protocol,
        ws="none",
        lifespan=lifespan,  # type: ignore[arg-type] # "on" or "off"
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=graceful_s,
    )
