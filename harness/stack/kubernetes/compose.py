"""The outside services as compose.yaml defines them: PostgreSQL and the Firebase parts.

The password of a run's own PostgreSQL.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import msgspec
import yaml

from harness.base.data import COMPOSE


def new_password() -> str:
    """A secret of one run's own database, no die of its seed."""
    return secrets.token_urlsafe(18)


DATABASE = "postgres"
#: The services of compose.yaml that a run has; the API is its own, by the manifests.
OUTSIDE = ("auth", "firestore", "remote_config", "storage", DATABASE)
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")  # compose's ${NAME:-default}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs of a service of compose.yaml; its healthcheck is for those who run compose itself."""

    image: str
    ports: list[str]
    command: list[str] = []
    environment: dict[str, str] = {}
    shm_size: str = "64mb"

    @property
    def port(self) -> int:
        """The container's port, the one that is published."""
        return int(self.ports[0].rpartition(":")[2])


def definitions(path: Path = COMPOSE) -> dict[str, Definition]:
    """Return the services ``OUTSIDE`` of compose.yaml by name, with the defaults of their variables."""
    services = yaml.safe_load(_VARIABLE.sub(lambda match: match[1], path.read_text()))["services"]
    return {name: msgspec.convert(services[name], Definition) for name in OUTSIDE}
