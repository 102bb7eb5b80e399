"""The environment contract of a pod's containers: the manifest's variables, then what only the rung knows.

The target's own migrations, run once before the first pod, straight against the database.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from harness.base.home import ENVIRONMENT_VARIABLE
from harness.model.manifests import Container, PodTemplate
from harness.model.message import message
from harness.model.stack import Endpoints, Target
from harness.model.variables import Meaning, assigned, expanded, names
from harness.stack.process.processes import Feed, Spec, spawn
from harness.stack.state import RunState

LIMIT_S = 60.0
NAME = "migrations"


async def migrate(
    template: PodTemplate, target: Target, endpoints: Endpoints, *, state: RunState, feed: Feed, logs: Path
) -> None:
    """Runs ``target.migrations``, if there are any. Raises ``StackNotStarted`` when they fail or take too long."""
    if not target.migrations:
        return
    variables = of_target(
        template.containers[0], target, endpoints, pod=NAME, port=0, database_port=endpoints.database.port
    )
    spec = Spec(
        part=NAME,
        command=target.migrations,
        environment=variables,
        log=logs / f"{NAME}.log",
        folder=Path(target.migrations_folder or target.folder),
    )
    feed.event("log", NAME, f"logs/{spec.log.name}")
    process = spawn(spec, state)
    try:
        await process.ended_within(LIMIT_S)
        if process.returncode is None:
            raise process.not_started(f"not done after {LIMIT_S:g} s")
        if process.returncode != 0:
            raise process.not_started(process.died())
    finally:
        if process.returncode is None:
            await asyncio.shield(asyncio.ensure_future(process.stop(signal.SIGKILL, 1.0)))
    feed.event("component", NAME, message("applied"))


#: What a program needs of the machine itself. Nothing else of the harness' own environment reaches a pod.
_MACHINE = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


def machine(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The machine's variables that a program may count on."""
    return {name: source[name] for name in _MACHINE if name in source}


def package_settings(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What an installer needs besides: npm's settings, proxies and certificates, and where our folder lies."""
    prefixes = (
        "npm_config_",
        "NPM_CONFIG_",
        "http",
        "HTTP",
        "no_proxy",
        "NO_PROXY",
        "SSL_",
        "NODE_EXTRA_",
        "DOCKER_",
        ENVIRONMENT_VARIABLE,
    )
    return {name: value for name, value in source.items() if name.startswith(prefixes)}


def of_target(
    container: Container,
    target: Target,
    endpoints: Endpoints,
    *,
    pod: str,
    port: int,
    database_port: int,
    metrics_port: int = 0,
) -> dict[str, str]:
    """The target's environment in ``pod``: the later of manifest, rung and ``target.environment`` wins.

    What the rung says has the contract's names and those of ``target.variables``. ``database_port`` is the sidecar's:
    the target reaches its database by no other way. ``metrics_port`` is where it may serve its metrics, 0 nowhere: pods
    of one machine cannot all have the same.
    """
    rung = {
        Meaning.PORT: str(port),
        Meaning.METRICS_PORT: str(metrics_port),
        Meaning.DATABASE_HOST: "127.0.0.1",
        Meaning.DATABASE_PORT: str(database_port),
        Meaning.DATABASE_USER: endpoints.database_user,
        Meaning.DATABASE_PASSWORD: endpoints.database_password,
        Meaning.DATABASE_NAME: endpoints.database_name,
        Meaning.DATABASE_SSLMODE: "disable",
        Meaning.PROJECT: endpoints.project_id,
        Meaning.AUTH: str(endpoints.auth),
        Meaning.FIRESTORE: str(endpoints.firestore),
    }
    if endpoints.storage is not None:
        rung[Meaning.STORAGE] = f"http://{endpoints.storage}"
    written = _written(container, target)
    present = {*written, "METRICS_PORT"}
    made = {"POD_NAME": pod, **assigned(rung, present, target.variables, target.url_form)}
    known = {**written, **made}
    manifest = {name: expanded(value, known) for name, value in written.items()}
    return {**machine(), **manifest, **made, **target.environment}


def _written(container: Container, target: Target) -> dict[str, str]:
    """What the manifests say, without the file of credentials that emulators do not have."""
    absent = names(Meaning.CREDENTIALS, {each.name for each in container.env}, target.variables)
    found = {each.name: each.value or container.secrets.get(each.name, "") for each in container.env}
    return {name: value for name, value in found.items() if value and name not in absent}
