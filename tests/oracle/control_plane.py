"""etcd, kube-apiserver and kube-controller-manager as plain processes, and a small client of their API."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.ports import free_port

TOKEN = "oracle"  # of a server on loopback that lives as long as the test
NAMESPACE = "default"
READY_S = 60.0
Json = dict[str, Any]


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status}: {body.get('message', body)}")
        self.status = status
        self.body = body


class Client:
    """JSON over one pool of connections."""

    def __init__(self, port: int, certificate: Path) -> None:
        self._base = f"https://127.0.0.1:{port}"
        self._pool = urllib3.PoolManager(
            ca_certs=str(certificate), assert_hostname=False, maxsize=50, retries=False, timeout=30
        )

    def call(self, method: str, path: str, body: Json | None = None, *, kind: str = "application/json") -> Json:
        """One request. Raises ``Refused``."""
        answer = self._pool.request(
            method,
            self._base + path,
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": kind, "Accept": "application/json"},
        )
        found: Json = json.loads(answer.data) if answer.data[:1] == b"{" else {"message": answer.data.decode()}
        if answer.status >= 300:
            raise Refused(answer.status, found)
        return found

    def get(self, path: str) -> Json:
        return self.call("GET", path)

    def make(self, path: str, body: Json) -> Json:
        return self.call("POST", path, body)

    def merge(self, path: str, body: Json) -> Json:
        return self.call("PATCH", path, body, kind="application/merge-patch+json")

    def lines(self, path: str) -> Iterator[Json]:
        """A watch, until the server ends it."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
        answer = self._pool.request("GET", self._base + path, headers=headers, preload_content=False, timeout=None)
        rest = b""
        with contextlib.suppress(urllib3.exceptions.HTTPError, ValueError):
            for chunk in answer.stream(65536):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in whole)

    def close(self) -> None:
        self._pool.clear()


def until(what: str, look: Any, limit_s: float = READY_S) -> Any:
    """What ``look`` answers once it is true; a failing look is tried again."""
    give_up = time.monotonic() + limit_s
    last: object = None
    while time.monotonic() < give_up:
        try:
            if last := look():
                return last
        except (Refused, urllib3.exceptions.HTTPError) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {limit_s:g} s; last: {last}")


@contextlib.contextmanager
def control_plane(
    programs: Mapping[str, Path], folder: Path, controllers: Sequence[str], flags: Sequence[str] = ()
) -> Iterator[Client]:
    """A control plane with those controllers alone, its API answering; all its processes ended afterwards."""
    etcd, peer, secure = (free_port() for _ in range(3))
    started: list[subprocess.Popen[bytes]] = []
    client: Client | None = None
    try:
        started.append(_start(folder, [programs["etcd"], *_etcd(folder, etcd, peer)]))
        started.append(_start(folder, [programs["kube-apiserver"], *_apiserver(folder, etcd, secure)]))
        certificate = folder / "certificates" / "apiserver.crt"
        until("the API server's certificate", certificate.exists)
        client = Client(secure, certificate)
        until("the API server", lambda: client.call("GET", "/readyz") or True)
        manager = [
            f"--kubeconfig={_kubeconfig(folder, secure)}",
            f"--controllers={','.join(controllers)}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
            "--kube-api-content-type=application/json",
            *flags,
        ]
        started.append(_start(folder, [programs["kube-controller-manager"], *manager]))
        yield client
    finally:
        if client is not None:
            client.close()
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def _start(folder: Path, command: list[str | Path]) -> subprocess.Popen[bytes]:
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as file:
        return subprocess.Popen([str(part) for part in command], stdout=file, stderr=file, cwd=folder)


def _etcd(folder: Path, port: int, peer: int) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver(folder: Path, etcd: int, port: int) -> list[str]:
    tokens, key = folder / "tokens.csv", folder / "accounts.key"
    tokens.write_text(f"{TOKEN},oracle,oracle,system:masters\n")
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://oracle",
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
        "--max-requests-inflight=2000",
        "--max-mutating-requests-inflight=2000",
    ]


def _kubeconfig(folder: Path, port: int) -> Path:
    file = folder / "kubeconfig.json"
    server = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "oracle", "cluster": server}],
                "users": [{"name": "oracle", "user": {"token": TOKEN}}],
                "contexts": [{"name": "oracle", "context": {"cluster": "oracle", "user": "oracle"}}],
                "current-context": "oracle",
            }
        )
    )
    return file
