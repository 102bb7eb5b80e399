"""The environment contract (docs/contract/environment.md), read once, refused whole with every mistake named.

Beyond the contract, all with defaults: ``HOST``, ``DB_POOL_MAX``, ``MIRROR_SHARE_PERCENT``, ``MIRROR_QUEUE_MAX``,
``MIRROR_LANES``, ``RATE_LIMIT_PER_MINUTE``, ``MAX_BODY_BYTES``, ``MAX_REQUESTS_IN_FLIGHT``,
``MAX_CONNECTIONS``, ``KEEP_ALIVE_S``,
``METRICS_PORT`` (0, the default, is none; the image asks for 9090).

Not pydantic-settings: what checks several parsed values together runs there only once each alone is right, so that one
start would not name contradictions beside the other mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LOG_LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}
_ADDRESS = re.compile(r"^[A-Za-z0-9._-]+:[0-9]{1,5}$")
_INTEGER = re.compile(r"^[0-9]{1,9}$")


class SettingsError(ValueError):
    """The environment does not make a runnable API; one line a mistake, each with the variable's name."""


class DatabaseSettings(Struct, frozen=True, kw_only=True):
    """Where PostgreSQL answers. ``pool_max`` connections a pod."""

    host: str = "127.0.0.1"
    port: int = 5432
    user: str = "tekutoko"
    password: str = ""
    name: str = "tekutoko"
    sslmode: str = "disable"
    pool_max: int = 10


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the API is told. ``mirror_lanes`` writes to Firestore run at once, ``mirror_queue_max`` walks wait."""

    project_id: str
    host: str = "0.0.0.0"  # noqa: S104 - a container listens on all its addresses; the rehearsal passes 127.0.0.1
    port: int = 8080
    metrics_port: int = 0
    environment: str = "development"
    database: DatabaseSettings = DatabaseSettings()
    credentials_path: str = ""
    auth_emulator_host: str = ""
    firestore_emulator_host: str = ""
    storage_emulator_host: str = ""
    log_level: str = "info"
    log_format: str = "json"
    pod_name: str = "local"
    mirror_share_percent: int = 100
    mirror_queue_max: int = 1000
    mirror_lanes: int = 4
    rate_limit_per_minute: int = 100
    max_body_bytes: int = 4 * 1024 * 1024
    max_requests_in_flight: int = 512
    max_connections: int = 4096
    max_unsent_bytes: int = 32 * 1024 * 1024
    keep_alive_s: int = 120


class _Reader:
    """Reads variables and gathers mistakes, so that one start names them all."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.mistakes: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self.environment.get(name, "").strip() or default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if not _INTEGER.match(text) or not low <= int(text) <= high:
            self.mistakes.append(f"{name}={text!r} is not an integer from {low} to {high}")
            return default
        return int(text)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default).lower()
        if text not in choices:
            self.mistakes.append(f"{name}={text!r} is none of {', '.join(choices)}")
            return default
        return text

    def address(self, name: str) -> str:
        text = self.text(name)
        if text and not _ADDRESS.match(text):
            self.mistakes.append(f"{name}={text!r} is not host:port")
        return text

    def finish(self) -> None:
        if self.mistakes:
            raise SettingsError("\n".join(self.mistakes))


def database_settings(environment: Mapping[str, str]) -> DatabaseSettings:
    """The database's part alone: all that ``migrate`` needs. Raises ``SettingsError``."""
    reader = _Reader(environment)
    settings = _database(reader)
    reader.finish()
    return settings


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in ``environment``. Raises ``SettingsError`` naming every variable that is wrong."""
    reader = _Reader(environment)
    settings = Settings(
        project_id=_project(reader),
        host=reader.text("HOST", "0.0.0.0"),  # noqa: S104 - see Settings.host
        port=reader.integer("PORT", 8080, 1, 65535),
        metrics_port=reader.integer("METRICS_PORT", 0, 0, 65535),
        environment=reader.text("ENVIRONMENT", "development").lower(),
        database=_database(reader),
        credentials_path=_credentials(reader),
        auth_emulator_host=reader.address("FIREBASE_AUTH_EMULATOR_HOST"),
        firestore_emulator_host=reader.address("FIRESTORE_EMULATOR_HOST"),
        storage_emulator_host=reader.text("STORAGE_EMULATOR_HOST"),
        log_level=reader.choice("LOG_LEVEL", "info", tuple(LOG_LEVELS)),
        log_format=reader.choice("LOG_FORMAT", "json", ("json", "text")),
        pod_name=reader.text("POD_NAME", "local"),
        mirror_share_percent=reader.integer("MIRROR_SHARE_PERCENT", 100, 0, 100),
        mirror_queue_max=reader.integer("MIRROR_QUEUE_MAX", 1000, 1, 1_000_000),
        mirror_lanes=reader.integer("MIRROR_LANES", 4, 1, 64),
        rate_limit_per_minute=reader.integer("RATE_LIMIT_PER_MINUTE", 100, 1, 1_000_000),
        max_body_bytes=reader.integer("MAX_BODY_BYTES", 4 * 1024 * 1024, 1024, 64 * 1024 * 1024),
        max_requests_in_flight=reader.integer("MAX_REQUESTS_IN_FLIGHT", 512, 1, 1_000_000),
        max_connections=reader.integer("MAX_CONNECTIONS", 4096, 1, 1_000_000),
        max_unsent_bytes=reader.integer("MAX_UNSENT_BYTES", 32 * 1024 * 1024, 64 * 1024, 1024 * 1024 * 1024),
        keep_alive_s=reader.integer("KEEP_ALIVE_S", 120, 1, 3600),
    )
    reader.mistakes += _contradictions(settings)
    reader.finish()
    return settings


def _database(reader: _Reader) -> DatabaseSettings:
    return DatabaseSettings(
        host=reader.text("DB_HOST", "127.0.0.1"),
        port=reader.integer("DB_PORT", 5432, 1, 65535),
        user=reader.text("DB_USER", "tekutoko"),
        password=reader.environment.get("DB_PASSWORD", ""),
        name=reader.text("DB_NAME", "tekutoko"),
        sslmode=reader.choice("DB_SSLMODE", "disable", SSL_MODES),
        # Eleven pods (10 and one of surge) of 8 fit into the 100 connections that Cloud SQL gives by default at 4 GB.
        pool_max=reader.integer("DB_POOL_MAX", 8, 1, 1000),
    )


def _project(reader: _Reader) -> str:
    firebase, cloud = reader.text("FIREBASE_PROJECT_ID"), reader.text("GOOGLE_CLOUD_PROJECT")
    if not firebase and not cloud:
        reader.mistakes.append("FIREBASE_PROJECT_ID is missing: tokens cannot be checked without their project")
    if firebase and cloud and firebase != cloud:
        reader.mistakes.append(f"FIREBASE_PROJECT_ID={firebase!r} and GOOGLE_CLOUD_PROJECT={cloud!r} differ")
    return firebase or cloud


def _credentials(reader: _Reader) -> str:
    path = reader.text("FIREBASE_CREDENTIALS_PATH")
    if path and not Path(path).is_file():
        reader.mistakes.append(f"FIREBASE_CREDENTIALS_PATH={path!r} is not a file")
    return path


def _contradictions(settings: Settings) -> list[str]:
    """A port serves one thing, and docs/contract/environment.md#production-and-emulators: they exclude each other."""
    emulators = {
        "FIREBASE_AUTH_EMULATOR_HOST": settings.auth_emulator_host,
        "FIRESTORE_EMULATOR_HOST": settings.firestore_emulator_host,
        "STORAGE_EMULATOR_HOST": settings.storage_emulator_host,
    }
    mistakes = []
    if settings.metrics_port == settings.port:
        mistakes.append(
            f"METRICS_PORT={settings.metrics_port} is PORT: the metrics are not for whoever reaches the API"
        )
    if settings.environment in ("production", "prod"):
        mistakes += [
            f"{name} is set while ENVIRONMENT={settings.environment}: production never talks to an emulator; "
            f"unset {name}, or set ENVIRONMENT=staging or development"
            for name, value in emulators.items()
            if value
        ]
    if settings.project_id.startswith("demo-"):
        if not settings.auth_emulator_host:
            mistakes.append(
                "FIREBASE_AUTH_EMULATOR_HOST is missing: a demo- project has no real tokens, and unsigned ones are "
                "accepted only against an emulator"
            )
        if settings.mirror_share_percent and not settings.firestore_emulator_host:
            mistakes.append(
                "FIRESTORE_EMULATOR_HOST is missing: a demo- project has no real Firestore; set it, or "
                "MIRROR_SHARE_PERCENT=0"
            )
    return mistakes
