"""Imported before anything else by ``locust_main``: locust patches the standard library for gevent, gRPC is told."""

from __future__ import annotations

import grpc.experimental.gevent as grpc_gevent
import locust

__all__ = ["locust"]

grpc_gevent.init_gevent()  # before the first channel
