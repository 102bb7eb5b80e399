"""The environment contract of a pod's containers: the manifest's variables, then what only the rung knows."""

from __future__ import annotations

import os
from collections.abc import Mapping

from harness.base.home import ENVIRONMENT_VARIABLE
from harness.model.manifests import Container
from harness.model.stack import Endpoints, Target
from harness.model.variables import Meaning, assigned, expanded, names

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
