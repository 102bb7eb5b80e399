"""Port-forwards by WebSocket: a byte stream to a port of a pod's loopback, through the API server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config
from kubernetes.aio.stream import WsApiClient

_DATA, _ERROR = b"\0", 1


class Forward:
    """One port-forward by WebSocket: channel 0 carries the bytes, 1 what went wrong; each first says its port."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._begun: set[int] = set()

    async def read(self) -> bytes:
        """The next bytes; b"" at the end. Raises ``OSError`` with what the kubelet says."""
        while True:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                return b""
            channel, data = message.data[0], message.data[1:]
            if channel not in self._begun:
                self._begun.add(channel)
                data = data[2:]
            if channel == _ERROR and data:
                raise OSError(data.decode(errors="replace").strip())
            if data:
                return bytes(data)

    async def send(self, data: bytes) -> None:
        """Raises ``OSError``."""
        await self._socket.send_bytes(_DATA + data)


@contextlib.asynccontextmanager
async def forwarding(
    kubeconfig: str, context: str, namespace: str, pod: str, port: int, *, scratch: Path
) -> AsyncIterator[Callable[[], AbstractAsyncContextManager[Forward]]]:
    """What opens a port-forward to ``port`` of the pod, as often as it is called; keys of the kubeconfig are unpacked
    into ``scratch``. What is opened raises ``aiohttp.ClientError`` and ``OSError``."""
    settings = Configuration()
    settings.connection_pool_maxsize = 0
    await load_kube_config(  # type: ignore[no-untyped-call]
        kubeconfig, context, settings, persist_config=False, temp_file_path=str(scratch)
    )
    async with WsApiClient(settings) as client:  # type: ignore[no-untyped-call]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        asked = {"query_params": [("ports", str(port))], "auth_settings": ["BearerToken"]}
        method, url, headers, *_ = await client.param_serialize(method="GET", resource_path=path, **asked)

        @contextlib.asynccontextmanager
        async def opened() -> AsyncIterator[Forward]:
            opening = await client.request(method, url, headers=headers, _preload_content=False)
            async with opening as socket:
                yield Forward(socket)

        yield opened
