"""The walk API: the bundled target of the rehearsal. Imports nothing of the harness.

``python -m api`` serves, ``python -m api migrate`` brings the database to the newest schema, ``python -m api openapi``
prints the OpenAPI document. ``api.build(settings, ports)`` returns the ASGI application over any ports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.ports import Ports
    from api.settings import Settings

__all__ = ["build"]


def build(settings: Settings, ports: Ports) -> FastAPI:
    """The ASGI application over ``ports``: all async, no thread, no socket, no clock of its own."""
    from api.app import build_app

    return build_app(settings, ports)
