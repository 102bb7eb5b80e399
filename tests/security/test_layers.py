"""Secrets in an image are found in every layer, in its variables and its history; what only looks like one is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from harness.checks.contract.reach import NotExercised
from harness.model.command import Ran
from harness.rehearsals.security.layers import found
from harness.rehearsals.security.rehearsal import _images
from harness.stack.kind import docker
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
        ({"root/.kube/config": b"{}"}, "root/.kube/config, a file of credentials"),
        ({"app/.env.production": b"PORT=80\nDB_PASSWORD=pw\n"}, "app/.env.production, the variable DB_PASSWORD is set"),
        (
            {"app/.env.local": b"# of the app\nexport db_password = 'pw'\n"},
            "app/.env.local, the variable db_password is set",
        ),
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
        (("DB_PASSWORD=$x", "db_password=x"), "COPY .", ["DB_PASSWORD", "db_password"]),
        (("A=b DB_PASSWORD=c", "DB_PASSWORD_FILE=/run/secrets/db", "ACCESS_TOKEN_EXPIRE_MINUTES=30"), "COPY .", []),
        ((), "RUN |1 NPM_TOKEN=abc /bin/sh -c NPM_TOKEN=$NPM_TOKEN npm ci", ["NPM_TOKEN"]),
        ((), "RUN build --env=A=1,NPM_TOKEN=abc", ["NPM_TOKEN"]),
        ((), 'RUN NPM_TOKEN=$(cat /run/secrets/npm) PGPASSWORD="$PW" make # buildkit', []),
        ((), 'ENV DB_PASSWORD=""', []),
        (("SECRET_MANAGER_PROJECT_ID=p", "CHECK_TOKEN=true"), 'ENV CHECK_TOKEN="true"', []),
        (("SECRET_MANAGER_TOKEN=x",), "", ["SECRET_MANAGER_TOKEN"]),
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
        "app/.env.production": b"PORT=80\nDB_PASSWORD=\nDB_PASSWORD_FILE=/run/db\n",
        "app/.env.example": b"DB_PASSWORD=changeme\n",
        "app/.env.production.example": b"DB_PASSWORD=changeme\n",
        "app/.env.test": b"# DB_PASSWORD=changeme\nAPI_KEY= # none\nSECRET_MANAGER_PROJECT_ID=p\n",
        "cert.pem": CLEAN["etc/ssl/certs/ca.pem"],
    }
    assert [*found("api:1", archive(tmp_path / "i.tar", [files]))] == []


def _listed(ran: Ran) -> Any:
    class Stack:
        async def kubectl(self, *words: str) -> Ran:
            assert words == ("get", "pods", "-o", "json")
            return ran

    return cast(Any, Stack())


async def test_every_image_that_the_cluster_s_pods_were_made_of_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the cluster names them, once each: the target's own, what ran before it, and a Job's."""
    seen: list[str] = []

    async def save(image: str, into: Path, *, limit_s: float) -> None:
        assert limit_s > 0
        seen.append(image)
        archive(into, [{"srv/tls.key": KEY}] if image == "migrate:1" else [CLEAN])

    monkeypatch.setattr(docker, "save", save)
    api, proxy, job = ({"image": name} for name in ("theirs:1", "proxy:1", "migrate:1"))
    specs = [{"initContainers": [job], "containers": [api, proxy]}, {"containers": [api]}, {"containers": [job]}]
    listed = json.dumps({"items": [{"spec": spec} for spec in specs]})
    wrong = await _images(_listed(Ran(command="", status=0, output=listed)))
    assert sorted(seen) == ["migrate:1", "proxy:1", "theirs:1"]
    assert wrong == ["migrate:1, layer 1: srv/tls.key, a private key"]


@pytest.mark.parametrize(("status", "output"), [(1, "Error from server"), (-1, ""), (0, '{"items": []}')])
async def test_images_that_nobody_names_are_not_said_to_be_clean(status: int, output: str) -> None:
    with pytest.raises(NotExercised, match="kubectl get pods") as said:
        await _images(_listed(Ran(command="", status=status, output=output)))
    assert not said.value.allowed
