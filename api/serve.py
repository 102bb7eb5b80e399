"""The process: the real adapters, uvicorn, and the ten seconds from SIGTERM to exit status 0."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import select
import signal
import socket
from collections.abc import Iterator

import uvicorn

from api.app import build_app
from api.clock import SystemClock, pause
from api.cloud_storage import CloudStorage
from api.ids import SystemIds
from api.logs import Bridge, Log
from api.ports import MirrorSink, Ports
from api.postgres import PostgresDatabase
from api.service import Service
from api.settings import Settings

CLOSING_S = 1.0  # within which idle connections are closed one by one; what is left then at once
UNREAD_S = 0.02  # within which the loop reads what a connection had
REQUESTS_S = 8  # of the ten seconds; the mirror is drained meanwhile, and in what is left


class _Server(uvicorn.Server):
    """uvicorn would raise the signal again after an orderly stop, and the process would die of it.

    It would also close every idle connection in one go, with the requests that came meanwhile unread: those of hundreds
    of users take tens of milliseconds, and a CREATE that meets one of them nobody may send again (RFC 9112, 9.5).
    """

    service: Service

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Installs the handlers for as long as the server runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nothing new is accepted; what was sent on kept connections before their end is still answered."""
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        one_by_one_until = loop.time() + CLOSING_S
        for connection in list(self.server_state.connections):
            if not _has_unread(connection.transport):
                connection.shutdown()
            if loop.time() < one_by_one_until:
                await pause(0)  # the loop closes this one's socket, and reads what came on the others
        await pause(UNREAD_S)
        await super().shutdown(sockets)

    def _stop(self) -> None:
        self.service.begin_stop()
        self.should_exit = True


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
    """Serves until SIGTERM or SIGINT; the exit status. uvicorn itself exits with 3 when the port is taken."""
    log = Log(SystemClock(), pod_name=settings.pod_name, level=settings.log_level, form=settings.log_format)
    logging.basicConfig(handlers=[Bridge(log)], level=logging.INFO, force=True)
    app = build_app(settings, ports(settings), log)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=REQUESTS_S,
    )
    server = _Server(config)
    server.service = app.state.service
    gc.collect()
    gc.freeze()  # what start-up made stays: later collections need not walk it
    asyncio.run(server.serve())
    return 0 if server.started else 1
