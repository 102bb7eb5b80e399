"""Where a migration reads and writes, as the environment contract says it (docs/contract/environment.md#migrator).

Whatever is not on this machine is refused unless it is asked for by name: a migration into the wrong database is worse
than none. Passwords and credentials come by variables and files alone, never by the command line.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import msgspec

from harness.base.errors import BadInput
from harness.base.message import nearest
from harness.model.message import gettext_noop, message
from harness.model.stack import Address, Endpoints

UNTRIED = gettext_noop(
    "beyond this machine: a production Firestore, Auth or PostgreSQL was never tried, only emulators and a PostgreSQL "
    "of this machine; take a backup first, and begin with --dry-run"
)


#: What is read of the contract's variables: a mistyped one is none of these.
_READ = (
    *("FIREBASE_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"),
    *("DB_SSLMODE", "FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST", "FIREBASE_CREDENTIALS_PATH"),
)
#: As libpq has them.
_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class StorePlaces(msgspec.Struct, frozen=True, kw_only=True):
    """``firestore`` and ``auth`` are emulators; without them it is Firebase itself, by the file of ``credentials``."""

    project_id: str
    login: dict[str, Any]
    firestore: Address | None = None
    auth: Address | None = None
    credentials: str = ""

    @property
    def beyond(self) -> tuple[str, ...]:
        """What is not on this machine, for people."""
        host = str(self.login["host"])
        found = [] if _is_here(host) else [f"PostgreSQL on {host}"]
        for name, address in (("Firestore", self.firestore), ("Firebase Auth", self.auth)):
            if address is None:
                found.append(f"{name} of the project {self.project_id}")
            elif not _is_here(address.host):
                found.append(f"{name} on {address.host}")
        return tuple(found)

    def firebase_credentials(self) -> Any:
        """What ``firebase_admin`` takes; ``None`` against emulators. Raises ``BadInput`` for a file that is none."""
        if self.auth is not None and self.firestore is not None:
            return None
        from firebase_admin import credentials
        from google.auth.exceptions import GoogleAuthError

        try:
            found = credentials.Certificate(self.credentials) if self.credentials else credentials.ApplicationDefault()
            found.get_credential()  # Google's own are looked for only here
        except (OSError, ValueError, GoogleAuthError) as error:
            raise BadInput(
                message("no credentials of Google's can be read: {error}", error=str(error)),
                where="FIREBASE_CREDENTIALS_PATH",
                remedy="name a service account's key file, or log in: gcloud auth application-default login",
            ) from None
        return found


def of_endpoints(endpoints: Endpoints) -> StorePlaces:
    """Those of a stack."""
    return StorePlaces(
        project_id=endpoints.project_id,
        login={**endpoints.login, "ssl": False},
        firestore=endpoints.firestore,
        auth=endpoints.auth,
    )


def of_environment(variables: Mapping[str, str]) -> StorePlaces:
    """Those that the contract's variables say. Raises ``BadInput`` for one that is missing or is none."""

    def needed(name: str, *others: str) -> str:
        found = next((variables[each] for each in (name, *others) if variables.get(each)), "")
        if not found:
            near = nearest(name, sorted(each for each in variables if each not in _READ))
            raise BadInput(
                message("{name} is not set{near}", name=name, near=near),
                where=message("the environment"),
                remedy="docs/contract/environment.md says all",
            )
        return found

    port = variables.get("DB_PORT") or "5432"
    if not _is_port(port):
        raise BadInput(
            message("DB_PORT is {port}, and no port", port=repr(port)),
            where=message("the environment"),
            remedy="docs/contract/environment.md says all",
        )
    sslmode = variables.get("DB_SSLMODE") or "prefer"
    if sslmode not in _SSLMODES:
        told = {"value": repr(sslmode), "names": ", ".join(_SSLMODES), "near": nearest(sslmode, _SSLMODES)}
        raise BadInput(
            message("DB_SSLMODE: {value} is none of {names}{near}", **told),
            where=message("the environment"),
            remedy="docs/contract/environment.md says all",
        )
    return StorePlaces(
        project_id=needed("FIREBASE_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"),
        login={
            "host": needed("DB_HOST"),
            "port": int(port),
            "user": needed("DB_USER"),
            "password": variables.get("DB_PASSWORD", ""),
            "database": needed("DB_NAME"),
            "ssl": False if sslmode == "disable" else sslmode,
        },
        firestore=_address(variables, "FIRESTORE_EMULATOR_HOST"),
        auth=_address(variables, "FIREBASE_AUTH_EMULATOR_HOST"),
        credentials=variables.get("FIREBASE_CREDENTIALS_PATH", ""),
    )


def _address(variables: Mapping[str, str], name: str) -> Address | None:
    text = variables.get(name, "")
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not _is_port(port):
        raise BadInput(
            message("{name} is {given}, and not HOST:PORT", name=name, given=repr(text)),
            where=message("the environment"),
            remedy="docs/contract/environment.md says all",
        )
    return Address(host=host, port=int(port))


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65_536


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
