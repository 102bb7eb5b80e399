"""What a target's variables mean: the names of docs/contract/environment.md, and others for the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from urllib.parse import quote

from harness.base.phase import filled


class Meaning(StrEnum):
    """What a variable says. The values are the keys of ``variables`` in a target file."""

    DATABASE_HOST = "database.host"
    DATABASE_PORT = "database.port"
    DATABASE_USER = "database.user"
    DATABASE_PASSWORD = "database.password"  # noqa: S105 - a key
    DATABASE_NAME = "database.name"
    DATABASE_SSLMODE = "database.sslmode"
    DATABASE_URL = "database.url"
    AUTH = "auth"
    FIRESTORE = "firestore"
    STORAGE = "storage"
    PROJECT = "project"
    PORT = "port"
    METRICS_PORT = "metrics_port"
    ENVIRONMENT = "environment"
    CREDENTIALS = "credentials"  # a file of Google's, absent against emulators


#: The contract's own names: a target is told them whatever its manifests say.
CONTRACT: dict[Meaning, tuple[str, ...]] = {
    Meaning.DATABASE_HOST: ("DB_HOST",),
    Meaning.DATABASE_PORT: ("DB_PORT",),
    Meaning.DATABASE_USER: ("DB_USER",),
    Meaning.DATABASE_PASSWORD: ("DB_PASSWORD",),
    Meaning.DATABASE_NAME: ("DB_NAME",),
    Meaning.DATABASE_SSLMODE: ("DB_SSLMODE",),
    Meaning.AUTH: ("FIREBASE_AUTH_EMULATOR_HOST",),
    Meaning.FIRESTORE: ("FIRESTORE_EMULATOR_HOST",),
    Meaning.STORAGE: ("STORAGE_EMULATOR_HOST",),
    Meaning.PROJECT: ("FIREBASE_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"),
    Meaning.PORT: ("PORT",),
}
#: Names that mean the same to libpq, PostgreSQL's images and Google's libraries: set where a container has them.
KNOWN: dict[Meaning, tuple[str, ...]] = {
    Meaning.DATABASE_HOST: ("PGHOST", "PGHOSTADDR", "POSTGRES_HOST"),
    Meaning.DATABASE_PORT: ("PGPORT", "POSTGRES_PORT"),
    Meaning.DATABASE_USER: ("PGUSER", "POSTGRES_USER"),
    Meaning.DATABASE_PASSWORD: ("PGPASSWORD", "POSTGRES_PASSWORD"),
    Meaning.DATABASE_NAME: ("PGDATABASE", "POSTGRES_DB"),
    Meaning.DATABASE_SSLMODE: ("PGSSLMODE",),
    Meaning.DATABASE_URL: ("DATABASE_URL", "DB_URL", "POSTGRES_URL"),
    Meaning.PROJECT: ("GCLOUD_PROJECT", "GCP_PROJECT", "GCP_PROJECT_ID"),
    Meaning.METRICS_PORT: ("METRICS_PORT",),
    Meaning.ENVIRONMENT: ("ENVIRONMENT",),
    Meaning.CREDENTIALS: ("FIREBASE_CREDENTIALS_PATH", "GOOGLE_APPLICATION_CREDENTIALS"),
}
PRODUCTION = ("production", "prod")  # in which a target refuses the emulators' unsigned tokens
REHEARSED_AS = "staging"
URL_FORM = "postgresql://{user}:{password}@{host}:{port}/{name}?sslmode={sslmode}"


def names(meaning: Meaning, present: Collection[str], own: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The variables that say ``meaning``: the contract's, the target file's ``own``, and known ones that are
    ``present``."""
    known = (name for name in KNOWN.get(meaning, ()) if name in present)
    return tuple(dict.fromkeys((*CONTRACT.get(meaning, ()), *own.get(meaning, ()), *known)))


def assigned(
    values: Mapping[Meaning, str], present: Collection[str], own: Mapping[str, tuple[str, ...]], url_form: str
) -> dict[str, str]:
    """Every variable that says one of ``values``, and the database's URL made of them."""
    found = {name: value for meaning, value in values.items() for name in names(meaning, present, own)}
    address = url({meaning: quote(value, safe="") for meaning, value in values.items()}, url_form)
    return found | dict.fromkeys(names(Meaning.DATABASE_URL, present, own), address)


def url(values: Mapping[Meaning, str], form: str) -> str:
    """The database's URL of ``form``, "" for the usual one; its places are the keys below ``database``."""
    parts = {
        meaning.rpartition(".")[2]: values.get(meaning, "")
        for meaning in Meaning
        if meaning.startswith("database.") and meaning is not Meaning.DATABASE_URL
    }
    return filled(form or URL_FORM, parts)


def expanded(text: str, known: Mapping[str, str]) -> str:
    """``text`` with ``$(NAME)`` put in as Kubernetes does: an unknown name stays, ``$$`` is one dollar."""
    made, rest = "", text
    while rest:
        before, dollar, rest = rest.partition("$")
        made += before
        if not dollar:
            break
        if rest.startswith("$"):
            made, rest = made + "$", rest[1:]
        elif rest.startswith("(") and ")" in rest:
            name, _, rest = rest[1:].partition(")")
            made += known.get(name, f"$({name})")
        else:
            made += "$"
    return made
