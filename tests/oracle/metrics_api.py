"""metrics.k8s.io and external.metrics.k8s.io on loopback, behind the API server's aggregation layer: a handler answers
each list of pod metrics, and of an external metric ``<app>|...``."""

from __future__ import annotations

import contextlib
import functools
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.oracle.control_plane import NAMESPACE, Client, Json, until

GROUP, EXTERNAL = "metrics.k8s.io", "external.metrics.k8s.io"
#: The ``app`` label asked for, and the external metric or "" -> the items, or ``None`` for an error of the API.
Answer = Callable[[str, str], list[Json] | None]

_KINDS = {GROUP: "PodMetricsList", EXTERNAL: "ExternalMetricValueList"}


def _handler(answer: Answer, failures: list[BaseException]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            group, _, name = url.path.removeprefix("/apis/").partition(f"/v1beta1/namespaces/{NAMESPACE}/")
            if not name:
                self._send(200, _resources(group.partition("/")[0]))
                return
            metric = urllib.parse.unquote(name) if group == EXTERNAL else ""
            selector = urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]
            try:
                items = answer(metric.partition("|")[0] or selector.removeprefix("app="), metric)
            except BaseException as error:
                failures.append(error)
                items = None
            if items is None:
                self._send(500, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500})
                return
            self._send(200, {"kind": _KINDS[group], "apiVersion": f"{group}/v1beta1", "items": items})

        def _send(self, status: int, body: Json) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
            pass

    return Handler


def _resources(group: str) -> Json:
    pods = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
    of_group = {"groupVersion": f"{group}/v1beta1", "resources": [pods] if group == GROUP else []}
    return {"kind": "APIResourceList", "apiVersion": "v1", **of_group} if group in _KINDS else {"kind": "Status"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that the API server gave up is no error of ours."""


@contextlib.contextmanager
def metrics_api(client: Client, certificates: Path, answer: Answer) -> Iterator[list[BaseException]]:
    """Serves until left, once the API server has found it. Yields the list that errors of ``answer`` go to."""
    failures: list[BaseException] = []
    server = _Server(("127.0.0.1", 0), _handler(answer, failures))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "apiserver.crt", certificates / "apiserver.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        _register(client, server.server_address[1])
        for group, asked in ((GROUP, "pods?labelSelector=app%3D"), (EXTERNAL, "none%7Clatency")):
            path = f"/apis/{group}/v1beta1/namespaces/{NAMESPACE}/{asked}"
            until(f"the API {group}", functools.partial(client.get, path))
        yield failures
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _register(client: Client, port: int) -> None:
    client.make(
        f"/api/v1/namespaces/{NAMESPACE}/services",
        {
            "metadata": {"name": "metrics"},
            "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
        },
    )
    for group in _KINDS:
        client.make(
            "/apis/apiregistration.k8s.io/v1/apiservices",
            {
                "metadata": {"name": f"v1beta1.{group}"},
                "spec": {
                    "group": group,
                    "version": "v1beta1",
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,
                    "service": {"name": "metrics", "namespace": NAMESPACE, "port": port},
                },
            },
        )
