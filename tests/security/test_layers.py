"""Secrets in an image are found in every layer, in its variables and its history; what only looks like one is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.rehearsals.security.layers import found
from tests.security.image import CLEAN, KEY, archive

SERVICE_ACCOUNT = (
    b'{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\\n' + b"QUJD" * 30 + b'\\n"}'
)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"srv/tls.key": KEY}, "srv/tls.key, a private key"),
        ({"srv/account.json": SERVICE_ACCOUNT}, "srv/account.json, a private key"),
        ({"app/.env": b"A=b"}, "app/.env, a file of credentials"),
        ({"root/.docker/config.json": b"{}"}, "root/.docker/config.json, a file of credentials"),
        ({"app/config.py": b"KEY = 'AIza" + b"x" * 35 + b"'"}, "app/config.py, a Google API key"),
        ({"app/config.py": b"ghp_" + b"x" * 36}, "app/config.py, a GitHub token"),
    ],
)
def test_what_is_a_secret(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    """A later layer that takes it away takes it out of no image."""
    later = {f"{name.rpartition('/')[0]}/.wh.{name.rpartition('/')[2]}": b"" for name in files}
    assert [*found("api:1", archive(tmp_path / "i.tar", [CLEAN, files, later]))] == [f"api:1, layer 2: {words}"]


@pytest.mark.parametrize(
    ("env", "made", "names"),
    [
        (("DB_PASSWORD=x",), "COPY .", ["DB_PASSWORD"]),
        ((), "RUN NPM_TOKEN=abc npm ci", ["NPM_TOKEN"]),
        (("DB_PASSWORD=", "PATH=/bin"), "RUN echo $DB_PASSWORD", []),
    ],
)
def test_what_the_configuration_says(tmp_path: Path, env: Sequence[str], made: str, names: list[str]) -> None:
    said = [*found("api:1", archive(tmp_path / "i.tar", env=env, made=made))]
    assert said == [f"api:1: the variable {name} is set" for name in names]


def test_what_only_looks_like_one(tmp_path: Path) -> None:
    """Documentation of a key's form, a certificate, an empty file."""
    files = {
        "doc.md": b"-----BEGIN PRIVATE KEY-----\n...\n",
        "app/.env": b"",
        "cert.pem": CLEAN["etc/ssl/certs/ca.pem"],
    }
    assert [*found("api:1", archive(tmp_path / "i.tar", [files]))] == []
