"""Secrets in an image: in its configuration, its history, and every layer, what a later one took away included."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

_MOST_BYTES = 1_000_000  # of a file: a key is small
#: Files that hold credentials wherever they lie, if anything is in them.
_NAMES = re.compile(
    r"(?:^|/)(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.env|\.netrc|\.pgpass|\.git-credentials|\.docker/config\.json"
    r"|\.kube/config|\.aws/credentials|application_default_credentials\.json|kubeconfig)$"
)
#: Files of variables for one environment, which may hold credentials; an example holds none.
_VARIABLES = re.compile(r"(?:^|/)\.env\.(?!(?:[\w.-]+\.)?(?:example|sample|template|dist)$)[\w.-]+$")
_CONTENTS = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\\?[rn\s]+[A-Za-z0-9+/=\\\s]{64,}"),
    "a Google API key": re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a GitHub token": re.compile(rb"\bgh[pousr]_[0-9A-Za-z]{36}\b"),
}
_SECRET_NAME = re.compile(r"PASSWORD|SECRET(?!S?_?MANAGER)|TOKEN|PRIVATE_KEY|API_KEY", re.IGNORECASE)
#: Ends of a name of what is said of a secret, and is none: where it lies, what it is called, for how long it is good.
_OF_SECRET = re.compile(
    r"_(FILE|PATH|DIR|NAME|PREFIX|PROJECT|VERSION|TYPE|ALGORITHM|ISSUER|AUDIENCE|HEADER|ENDPOINT|UR[IL]|ENABLED"
    r"|EXPIRY|EXPIRATION|LIFETIME|LEEWAY|TTL|SECONDS|MINUTES|HOURS|DAYS|LENGTH|SIZE)$",
    re.IGNORECASE,
)
#: In a command; a shell takes a value from elsewhere, as from a secret that is mounted for that command alone.
_GIVEN = re.compile(r"""\b([A-Z0-9_]+)=(?!["']?[$`]|""|'')(?=(\S+))""")
#: A line of a file of variables; one behind ``#`` sets none.
_LINE = re.compile(r"""^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(?!["']?[$`]|""|''|#)(\S+)""", re.MULTILINE)


def found(name: str, archive: Path) -> Iterator[str]:
    """What is wrong with the image ``name``, which ``docker save`` wrote into ``archive``: where, and what."""
    with tarfile.open(archive) as whole:
        manifest = msgspec.json.decode(_bytes(whole, "manifest.json"))[0]
        yield from (f"{name}: {each}" for each in _configured(msgspec.json.decode(_bytes(whole, manifest["Config"]))))
        for number, layer in enumerate(manifest["Layers"], 1):
            content = whole.extractfile(layer)
            assert content is not None
            for each in _in_layer(content):
                yield f"{name}, layer {number}: {each}"


def held(content: bytes) -> Iterator[str]:
    """What of a key or a token stands in ``content``."""
    return (what for what, form in _CONTENTS.items() if form.search(content))


def named(name: str, value: str = "") -> bool:
    """Whether it is a secret's, by its words; a ``value`` that is a switch's is none."""
    said = _SECRET_NAME.search(name) is not None and _OF_SECRET.search(name) is None
    return said and value.strip("\"'").lower() not in ("true", "false")


def _configured(config: dict[str, Any]) -> Iterator[str]:
    """Variables that the image sets, and those of the commands that made it."""
    env = (each.partition("=") for each in (config.get("config") or {}).get("Env") or ())
    set_ = [(name, value) for name, _, value in env if value]
    set_ += [given for each in config.get("history") or () for given in _GIVEN.findall(str(each.get("created_by", "")))]
    yield from _told(set_)


def _told(variables: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (
        f"the variable {name} is set" for name in dict.fromkeys(name for name, value in variables if named(name, value))
    )


def _in_layer(layer: IO[bytes]) -> Iterator[str]:
    with tarfile.open(fileobj=layer, mode="r:*") as files:
        for member in files:
            if not member.isfile() or not 0 < member.size <= _MOST_BYTES:
                continue
            if _NAMES.search(member.name):
                yield f"{member.name}, a file of credentials"
                continue
            file = files.extractfile(member)
            content = b"" if file is None else file.read()
            yield from (f"{member.name}, {what}" for what in held(content))
            if _VARIABLES.search(member.name):
                yield from (f"{member.name}, {what}" for what in _told(_LINE.findall(content.decode(errors="replace"))))


def _bytes(whole: tarfile.TarFile, name: str) -> bytes:
    content = whole.extractfile(name)
    assert content is not None
    return content.read()
