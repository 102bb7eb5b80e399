"""The environment: read whole, refused whole, every mistake named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from api.settings import SettingsError, read_settings
from tests.api.world import ROOT

GOOD = {
    "PORT": "8081",
    "HOST": "127.0.0.1",
    "ENVIRONMENT": "rehearsal",
    "DB_HOST": "localhost",
    "DB_PORT": "5433",
    "DB_USER": "u",
    "DB_PASSWORD": " p ",
    "DB_NAME": "n",
    "DB_SSLMODE": "disable",
    "FIREBASE_PROJECT_ID": "demo-tekutoko",
    "GOOGLE_CLOUD_PROJECT": "demo-tekutoko",
    "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9199",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    "POD_NAME": "tekutoko-api-abc",
}
PRODUCTION = {"ENVIRONMENT": "production", "FIREBASE_PROJECT_ID": "tekutoko"}


def test_the_contract_is_read() -> None:
    settings = read_settings(GOOD)
    assert (settings.host, settings.port, settings.project_id) == ("127.0.0.1", 8081, "demo-tekutoko")
    assert (settings.database.password, settings.database.port) == (" p ", 5433)
    assert (settings.log_level, settings.pod_name) == ("info", "tekutoko-api-abc")
    assert (settings.mirror_share_percent, settings.database.pool_max) == (100, 8)
    assert settings.rate_limit_per_minute == 100
    assert (settings.metrics_port, settings.max_requests_in_flight, settings.max_connections) == (0, 512, 4096)
    assert read_settings(GOOD | {"METRICS_PORT": "9090"}).metrics_port == 9090


def test_production_needs_little() -> None:
    settings = read_settings(PRODUCTION)
    assert (settings.host, settings.port) == ("0.0.0.0", 8080)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        (GOOD | {"ENVIRONMENT": "production"}, "FIREBASE_AUTH_EMULATOR_HOST is set while ENVIRONMENT=production"),
        (PRODUCTION | {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"}, "FIRESTORE_EMULATOR_HOST is set while"),
        (PRODUCTION | {"STORAGE_EMULATOR_HOST": "127.0.0.1:1"}, "STORAGE_EMULATOR_HOST is set while"),
        (PRODUCTION | {"ENVIRONMENT": " Production ", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"}, "never talks to"),
        (GOOD | {"FIREBASE_AUTH_EMULATOR_HOST": ""}, "FIREBASE_AUTH_EMULATOR_HOST is missing"),
        (GOOD | {"FIRESTORE_EMULATOR_HOST": ""}, "FIRESTORE_EMULATOR_HOST is missing"),
        (GOOD | {"FIRESTORE_EMULATOR_HOST": "http://x:1"}, "FIRESTORE_EMULATOR_HOST='http://x:1' is not host:port"),
        ({}, "FIREBASE_PROJECT_ID is missing"),
        (GOOD | {"GOOGLE_CLOUD_PROJECT": "other"}, "differ"),
        (GOOD | {"PORT": "http"}, "PORT='http' is not an integer"),
        (GOOD | {"PORT": "0"}, "PORT='0'"),
        (GOOD | {"METRICS_PORT": "70000"}, "METRICS_PORT='70000'"),
        (GOOD | {"METRICS_PORT": "8081"}, "METRICS_PORT=8081 is PORT"),
        (GOOD | {"MAX_REQUESTS_IN_FLIGHT": "0"}, "MAX_REQUESTS_IN_FLIGHT='0'"),
        (GOOD | {"MAX_CONNECTIONS": "0"}, "MAX_CONNECTIONS='0'"),
        (GOOD | {"DB_PORT": "70000"}, "DB_PORT='70000'"),
        (GOOD | {"DB_SSLMODE": "maybe"}, "DB_SSLMODE='maybe' is none of"),
        (GOOD | {"LOG_LEVEL": "loud"}, "LOG_LEVEL='loud'"),
        (GOOD | {"LOG_FORMAT": "xml"}, "LOG_FORMAT='xml'"),
        (GOOD | {"FIREBASE_CREDENTIALS_PATH": "/nowhere.json"}, "FIREBASE_CREDENTIALS_PATH='/nowhere.json'"),
        (GOOD | {"MIRROR_SHARE_PERCENT": "101"}, "MIRROR_SHARE_PERCENT='101'"),
        (GOOD | {"DB_POOL_MAX": "-1"}, "DB_POOL_MAX='-1'"),
    ],
)
def test_what_cannot_work_is_refused_by_name(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read_settings(environment)


def test_no_mirror_needs_no_emulator_for_it() -> None:
    assert read_settings(GOOD | {"FIRESTORE_EMULATOR_HOST": "", "MIRROR_SHARE_PERCENT": "0"}).mirror_share_percent == 0


def test_all_mistakes_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings({"PORT": "x", "LOG_LEVEL": "y"})
    assert len(str(refusal.value).splitlines()) == 3


def _command(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.process
def test_the_process_refuses_with_status_2(tmp_path: Path) -> None:
    done = _command("serve", environment=GOOD | {"ENVIRONMENT": "production"})
    assert done.returncode == 2
    assert "production never talks to an emulator" in done.stderr
    assert "Traceback" not in done.stderr
    assert _command("nonsense", environment=GOOD).returncode == 2


@pytest.mark.process
def test_migrate_without_a_database_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, api.migrate, api.__main__ as m; api.migrate.CONNECT_ATTEMPTS = 2; sys.exit(m.main(['migrate']))",
        ],
        cwd=ROOT,
        env=GOOD | {"DB_HOST": "127.0.0.1", "DB_PORT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert "no database at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
