"""The environment contract of a pod's containers: the manifest's variables, then what only the rung knows."""

from __future__ import annotations

import os
from collections.abc import Mapping

from harness.home import ENVIRONMENT_VARIABLE
from harness.model.manifests import Container
from harness.model.stack import Endpoints, Target

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

    ``database_port`` is the sidecar's: the target reaches its database by no other way. ``metrics_port`` is where it
    may serve its metrics, 0 nowhere: pods of one machine cannot all have the same.
    """
    manifest = {variable.name: variable.value for variable in container.env if variable.value}
    rung = {
        "PORT": str(port),
        "METRICS_PORT": str(metrics_port),
        "POD_NAME": pod,
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(database_port),
        "DB_USER": endpoints.database_user,
        "DB_PASSWORD": endpoints.database_password,
        "DB_NAME": endpoints.database_name,
        "DB_SSLMODE": "disable",
        "FIREBASE_PROJECT_ID": endpoints.project_id,
        "GOOGLE_CLOUD_PROJECT": endpoints.project_id,
        "FIREBASE_AUTH_EMULATOR_HOST": str(endpoints.auth),
        "FIRESTORE_EMULATOR_HOST": str(endpoints.firestore),
    }
    if endpoints.storage is not None:
        rung["STORAGE_EMULATOR_HOST"] = f"http://{endpoints.storage}"
    return {**machine(), **manifest, **rung, **target.environment}
