"""The bundled API as production has it, in this process: ENVIRONMENT=production, signatures verified, mirror off.

Its code, its settings and its verification of tokens are the API's own; the database is in memory, and the certificates
come from where a constructor's parameter says, for no setting does. Its service account is made up here, and exists
nowhere: what it does needs no role of anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import firebase_admin
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api import firebase_app
from api.app import build_app
from api.certificates import Certificates, fetch_https
from api.clock import SystemClock
from api.firebase_tokens import FirebaseTokens
from api.logs import Log
from api.memory import MemoryDatabase, SeededIds
from api.metrics_port import MetricsServer, listening
from api.ports import Ports
from api.serve import config_of
from api.settings import read_settings
from harness.base.private import write_private
from harness.model.stack import Address

POD = "production"
_STOP_S = 1


def service_account(folder: Path, project_id: str) -> Path:
    """The file of a service account that exists nowhere; its key is made for it. firebase-admin asks for one to start,
    and for nothing else here."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    content = {
        "type": "service_account",
        "project_id": project_id,
        "private_key": pem,
        "client_email": f"nobody@{project_id}.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:1/token",
    }
    path = folder / "service-account.json"
    write_private(path, msgspec.json.encode(content))
    return path


@contextlib.asynccontextmanager
async def production(
    project_id: str, certificates_url: str, write: Callable[[bytes], None], seed: int
) -> AsyncIterator[Address]:
    """Serves on loopback until the block is left; where. ``write`` gets each line of its log."""
    clock = SystemClock()

    async def fetch(url: str) -> tuple[bytes, float]:
        _ = url  # Google's own
        return await fetch_https(certificates_url)

    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(
            {
                "ENVIRONMENT": "production",
                "FIREBASE_PROJECT_ID": project_id,
                "FIREBASE_CREDENTIALS_PATH": str(service_account(Path(folder), project_id)),
                "MIRROR_SHARE_PERCENT": "0",
                "HOST": "127.0.0.1",
                "POD_NAME": POD,
            }
        )
        firebase = firebase_app.start(settings)
    try:
        ports = Ports(
            database=MemoryDatabase(clock),
            tokens=FirebaseTokens(firebase, clock, Certificates(clock, fetch)),
            clock=clock,
            ids=SeededIds(random.Random(seed)),  # noqa: S311 - of the run's seed
            storage=None,
            mirror=None,
        )
        app = build_app(settings, ports, Log(clock, pod_name=POD, write=write))
        config = config_of(app, app.state.service, settings, lifespan="on", graceful_s=_STOP_S)
        server = MetricsServer(config)  # one that leaves the signals to whoever has them
        with contextlib.closing(listening("127.0.0.1", 0)) as socket:
            serving = asyncio.ensure_future(server.serve(sockets=[socket]))
            try:
                yield Address(host="127.0.0.1", port=socket.getsockname()[1])
            finally:
                server.should_exit = True
                await serving
    finally:
        firebase_admin.delete_app(firebase)
