"""How a Prometheus of this machine reaches a cluster's pods: by the API server's proxy, as the kubeconfig's user."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import yaml
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.base.clock import MachineClock
from harness.base.data import OVERLAYS
from harness.model.manifests import Container, EnvVar, Manifests
from harness.model.stack import EnvironmentKind, Target
from harness.rehearsals.alert_drill import watching
from harness.rehearsals.alert_drill.types import PLAN, SIDECARS, TARGET
from harness.rehearsals.network.front import Authority
from harness.stack.database.sidecar import Counted
from harness.stack.kind.images import binaries
from harness.stack.kubernetes.api_server import ApiServer
from harness.stack.kubernetes.metrics import by_proxy, scraped
from harness.stack.manifests import load
from harness.stack.manifests.forced import sidecar as forced
from harness.stack.target.scraping import ClientCertificate
from harness.stack.target.targets import bundled
from tests.ports import free_port

MANIFESTS = load(OVERLAYS / "kind", EnvironmentKind.KIND)
NAMESPACE = "/api/v1/namespaces/tekutoko-run/pods"


class Pki:
    """An authority, and what it gave a server on this machine and a client."""

    def __init__(self) -> None:
        authority = Authority(MachineClock())
        self.ca = authority.pem
        self.server = authority.issue("localhost")
        self.client = authority.issue("localhost", ExtendedKeyUsageOID.CLIENT_AUTH)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


async def opened(folder: Path, pki: Pki, port: int, user: dict[str, str]) -> ApiServer:
    """As kind writes its kubeconfig: everything inline."""
    cluster = {"server": f"https://localhost:{port}", "certificate-authority-data": base64.b64encode(pki.ca).decode()}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    (folder / "scratch").mkdir(exist_ok=True)
    return await ApiServer.open(folder / "kubeconfig", "c", folder / "scratch", MachineClock())


def by_certificate(pki: Pki) -> dict[str, str]:
    certificate, key = (base64.b64encode(each).decode() for each in (pki.client.chain, pki.client.key))
    return {"client-certificate-data": certificate, "client-key-data": key}


async def test_the_certificate_is_this_user_s_alone_and_goes_with_the_run(tmp_path: Path, pki: Pki) -> None:
    api = await opened(tmp_path, pki, 6443, by_certificate(pki))
    found = api.credentials()
    assert api.server == "https://localhost:6443"
    assert [each.read_bytes() for each in (found.ca, found.certificate, found.key)] == [
        pki.ca, pki.client.chain, pki.client.key,
    ]  # fmt: skip
    for each in (found.ca, found.certificate, found.key):
        assert each.parent == tmp_path / "scratch" and each.stat().st_mode & 0o077 == 0
    await api.close()


def of(*containers: Container) -> Manifests:
    """Of pods with these."""
    deployment = MANIFESTS.deployment
    template = msgspec.structs.replace(deployment.template, containers=containers)
    return msgspec.structs.replace(MANIFESTS, deployment=msgspec.structs.replace(deployment, template=template))


def test_each_pod_s_target_and_sidecar_are_asked_by_the_api_server() -> None:
    found = [*by_proxy("https://127.0.0.1:32100", "tekutoko-run", ["a", "b"], MANIFESTS, bundled())]
    assert {str(each.address) for each in found} == {"127.0.0.1:32100"}
    assert [(each.pod, each.path, each.sidecar) for each in found] == [
        ("a", f"{NAMESPACE}/a:9090/proxy/metrics", False), ("a", f"{NAMESPACE}/a:9801/proxy/metrics", True),
        ("b", f"{NAMESPACE}/b:9090/proxy/metrics", False), ("b", f"{NAMESPACE}/b:9801/proxy/metrics", True),
    ]  # fmt: skip
    go = Target(name="go", command=("go",), metrics_path="/internal/metrics")
    own = [*by_proxy("https://k.example/clusters/c-1", "tekutoko-run", ["a"], MANIFESTS, go)]
    assert str(own[0].address) == "k.example:443"
    assert own[0].path == f"/clusters/c-1{NAMESPACE}/a:8080/proxy/internal/metrics"


@pytest.mark.parametrize(
    ("variables", "written", "port"),
    [
        (("MY_METRICS_PORT",), {"MY_METRICS_PORT": "9464"}, 9464),
        (("MY_METRICS_PORT",), {"MY_METRICS_PORT": "9464", "METRICS_PORT": "9090"}, 9464),
        (("MY_METRICS_PORT",), {"METRICS_PORT": "9300"}, 9300),
        (("MY_METRICS_PORT",), {"MY_METRICS_PORT": "0"}, 8080),
        ((), {"MY_METRICS_PORT": "9464"}, 8080),
    ],
)
def test_a_target_s_own_variable_says_the_port_of_its_metrics(
    variables: tuple[str, ...], written: dict[str, str], port: int
) -> None:
    """As ``metrics: {variable: MY_METRICS_PORT}`` of its file has it, which processes are told by."""
    first, *others = MANIFESTS.deployment.template.containers
    env = tuple(EnvVar(name=name, value=value, source="value") for name, value in written.items())
    manifests = of(msgspec.structs.replace(first, env=env), *others)
    target = Target(name="go", command=("go",), variables={"metrics_port": variables})
    assert scraped(manifests, target).port == port


def test_pods_without_a_sidecar_are_asked_for_none() -> None:
    alone = of(MANIFESTS.deployment.template.containers[0])
    found = [*by_proxy("https://127.0.0.1:1", "n", ["a"], alone, bundled())]
    assert [each.sidecar for each in found] == [False]


@pytest.mark.parametrize(
    ("arguments", "variables", "port"),
    [
        ([], {}, 9801),
        (["--prometheus"], {}, 9801),  # its default is the API's
        (["--http-port=9090"], {}, 9801),
        (["--port=5432", "--http-port=9300"], {}, 9300),
        (["--http-port", "9300"], {}, 9300),
        ([], {"CSQL_PROXY_HTTP_PORT": "9300"}, 9300),
        ([], {"CSQL_PROXY_HTTP_PORT": "$(PORT)"}, 9801),
    ],
)
def test_a_sidecar_answers_at_a_port_that_the_api_has_not(
    arguments: list[str], variables: dict[str, str], port: int
) -> None:
    proxy = {"args": arguments, "env": [{"name": name, "value": value} for name, value in variables.items()]}
    assert forced._metrics_port_of(proxy) == str(port)
    assert forced.port_of(proxy) == 5432


# -- by a real Prometheus -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def api_server(pki: Pki, folder: Path, pages: dict[str, str]) -> AsyncIterator[int]:
    """What of one a scrape needs: TLS, a client certificate of its authority, a page a path; its port."""
    for name, content in (("ca", pki.ca), ("crt", pki.server.chain), ("key", pki.server.key)):
        (folder / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "crt", folder / "key")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            status, body = ("200 OK", pages[path]) if path in pages else ("404 Not Found", "")
            about = f"Content-Type: text/plain; version=0.0.4\r\nContent-Length: {len(body)}\r\nConnection: close"
            writer.write(f"HTTP/1.1 {status}\r\n{about}\r\n\r\n{body}".encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def up(folder: Path, config: object, pods: dict[str, list[dict[str, object]]]) -> dict[str, int]:
    """By job how many of its targets answered, of three that each has."""
    (folder / "targets").mkdir(parents=True)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    for job, groups in pods.items():
        (folder / "targets" / f"{job}.json").write_bytes(msgspec.json.encode(groups))
    prometheus = watching.Program("Prometheus", "scraping", folder / "log", free_port())
    flags = watching.prometheus_flags(folder / "prometheus.yaml", folder / "data", prometheus.address.port)
    await prometheus.start(binaries.PROMETHEUS.folder() / "prometheus", *flags)
    try:
        await prometheus.ready(MachineClock())
        for _ in range(100):
            answer = await prometheus.ask("/api/v1/query?query=count(up)")
            if answer["data"]["result"] and answer["data"]["result"][0]["value"][1] == "6":
                break
            await asyncio.sleep(0.2)
        return await watching.ever_up(prometheus, "1m")
    finally:
        await prometheus.down()


@pytest.mark.process
@pytest.mark.nightly
@pytest.mark.timeout(2400, func_only=True)
async def test_a_real_prometheus_gets_them_with_the_run_s_certificate_alone(tmp_path: Path, pki: Pki) -> None:
    """Two of three pods answer; with a certificate of nobody's known none does."""
    await binaries.ensure(binaries.PROMETHEUS, print)
    counted = Counted("p:r:i")
    counted.dialed(0.004)
    pages = {f"{NAMESPACE}/{pod}:9090/proxy/metrics": 'http_requests_total{status="200"} 1\n' for pod in ("a", "b")}
    pages |= {f"{NAMESPACE}/{pod}:9801/proxy/metrics": counted.page() for pod in ("a", "b")}
    async with api_server(pki, tmp_path, pages) as port:
        api = await opened(tmp_path, pki, port, by_certificate(pki))
        pods = watching.targets(by_proxy(api.server, "tekutoko-run", ["a", "b", "gone"], MANIFESTS, bundled()))
        by = api.credentials()
        await api.close()
        stranger = ClientCertificate(ca=by.ca, certificate=tmp_path / "other.crt", key=tmp_path / "other.key")
        unknown = Pki().client
        stranger.certificate.write_bytes(unknown.chain)
        stranger.key.write_bytes(unknown.key)
        theirs = {"scrape_configs": [{"job_name": job, "file_sd_configs": [{"files": [f"targets/{job}.json"]}]}
                                     for job in (TARGET, SIDECARS)]}  # fmt: skip
        answers = []
        for name, who in (("run", by), ("stranger", stranger)):
            plan = msgspec.structs.replace(PLAN, scale=30.0)
            config = watching.prometheus({**theirs, "alerting": {"alertmanagers": [{}]}}, plan, alertmanager=1,
                                          pages=1, by=who)  # fmt: skip
            config["scrape_configs"] = config["scrape_configs"][:2]
            answers.append(await up(tmp_path / name, config, pods))
    assert answers == [{TARGET: 2, SIDECARS: 2}, {}]
