"""The API under test: the bundled walk API, a command line, or a small YAML file (``--target``).

A target is told nothing but the environment contract (docs/contract/environment.md); what a file adds to its
environment is the target's own. The file's keys::

    name: our Go backend               # default: the file's name
    command: ["./walk-api", "--quiet"] # or one line of text; a program with a slash is sought from `folder`
    folder: ../backend                 # where it runs, from the file's own folder; default: the file's folder
    environment: {FEATURE_X: "on"}     # added to the contract's variables, none of which may be replaced
    migrations: none                   # none (it migrates by itself), bundled (our SQL), or a command
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import msgspec

from harness import yamltext
from harness.home import expanded
from harness.model.errors import BadInput
from harness.model.stack import Target

ROOT = Path(__file__).resolve().parent.parent
IMAGE = "image:"
BUNDLED_MIGRATIONS = (sys.executable, "-m", "api", "migrate")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: The rung alone can say these, so a target file may not.
_CONTRACT = re.compile(
    r"(METRICS_)?PORT|POD_NAME|DB_(HOST|PORT|USER|PASSWORD|NAME|SSLMODE)"
    r"|FIREBASE_(PROJECT_ID|CREDENTIALS_PATH|AUTH_EMULATOR_HOST)"
    r"|GOOGLE_CLOUD_PROJECT|(FIRESTORE|STORAGE)_EMULATOR_HOST"
)
_EXAMPLES = {
    "name": "name: our Go backend",
    "command": 'command: ["./walk-api", "--quiet"]',
    "folder": "folder: ../backend",
    "environment": 'environment: {FEATURE_X: "on"}',
    "migrations": "migrations: none",
}


class _Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    command: str | list[str]
    name: str = ""
    folder: str = "."
    environment: dict[str, str] = {}
    migrations: str | list[str] = "none"


def bundled() -> Target:
    """The reference walk API of this repository, run as a command like any other target."""
    return Target(
        name="bundled walk API (Python)",
        command=(sys.executable, "-m", "api"),
        folder=str(ROOT),
        environment={"HOST": "127.0.0.1"},  # its own setting: by default it listens on every interface
        migrations=BUNDLED_MIGRATIONS,
        bundled=True,
    )


def resolve(text: str | None) -> Target:
    """The target that ``--target`` names; the bundled API for ``None``. Raises ``BadInput``."""
    if text is None:
        return bundled()
    if text.startswith(IMAGE):
        image = text.removeprefix(IMAGE)
        if not image or any(letter.isspace() for letter in image):
            raise BadInput(
                f"{text!r} names no image", where="--target", remedy="for example --target image:walk-api:dev"
            )
        return Target(name=image, command=(), image=image)
    if text.endswith((".yaml", ".yml")) and " " not in text.strip():
        return _from_file(Path(text))
    words = _split(text, "--target")
    folder = Path.cwd()
    command = (_program(words[0], folder, "--target"), *words[1:])
    return Target(name=shlex.join(words), command=command, folder=str(folder))


def resolve_command(text: str | None) -> Target:
    """As ``resolve``, for what runs on the rung ``local`` alone. Raises ``BadInput`` for an image."""
    target = resolve(text)
    if target.image:
        raise BadInput(
            f"the environment local cannot run the image {target.image}", remedy="name a command, or a .yaml file"
        )
    return target


def _from_file(path: Path) -> Target:
    where = str(path)
    found = yamltext.documents(yamltext.read(path), where)
    if len(found) != 1 or not isinstance(found[0][0], dict):
        raise BadInput(
            "a target file is one mapping of keys", where=where, remedy=f"begin with `{_EXAMPLES['command']}`"
        )
    data, lines = found[0]
    try:
        form = msgspec.convert(data, _Form)
    except msgspec.ValidationError as error:
        raise _refused(str(error), where, lines) from error
    place = {key: yamltext.place(where, lines, (key,)) for key in _EXAMPLES}
    folder = (path.absolute().parent / expanded(form.folder)).resolve()
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder", where=place["folder"], remedy=f"for example `{_EXAMPLES['folder']}`")
    for name in form.environment:
        if not _VARIABLE.fullmatch(name) or _CONTRACT.fullmatch(name):
            why = "is the rehearsal's to say" if _VARIABLE.fullmatch(name) else "is no name of an environment variable"
            at = yamltext.place(where, lines, ("environment", name))
            raise BadInput(f"{name!r} {why}", where=at, remedy="leave it out")
    words = _words(form.command, place["command"], "command")
    migrations, migrations_folder = _migrations(form.migrations, folder, place["migrations"])
    return Target(
        name=form.name or path.stem,
        command=(_program(words[0], folder, place["command"]), *words[1:]),
        folder=str(folder),
        environment=form.environment,
        migrations=migrations,
        migrations_folder=migrations_folder,
    )


def _migrations(given: str | list[str], folder: Path, where: str) -> tuple[tuple[str, ...], str]:
    """The command, and the folder it runs in."""
    if given == "none":
        return (), ""
    if given == "bundled":
        return BUNDLED_MIGRATIONS, str(ROOT)
    words = _words(given, where, "migrations")
    return (_program(words[0], folder, where), *words[1:]), str(folder)


def _words(given: str | list[str], where: str, key: str) -> list[str]:
    words = _split(given, where) if isinstance(given, str) else given
    if not words or not words[0]:
        raise BadInput(f"{key} is empty", where=where, remedy=f"for example `{_EXAMPLES[key]}`")
    return words


def _split(text: str, where: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no command line: {error}", where=where, remedy="close the quotes") from error
    if not words:
        raise BadInput("the target's command is empty", where=where, remedy="for example --target './walk-api --quiet'")
    return words


def _program(word: str, folder: Path, where: str) -> str:
    """The program's path. Raises ``BadInput`` when it is not there or may not be executed."""
    if "/" not in word:
        found = shutil.which(word)
        if found is None:
            raise BadInput(
                f"no program {word!r} on the PATH", where=where, remedy=f"write ./{word} if it lies in {folder}"
            )
        return found
    path = folder / expanded(word)
    if not path.is_file():
        raise BadInput(f"the program {path} is not there", where=where, remedy="build it first, or correct the path")
    if not os.access(path, os.X_OK):
        raise BadInput(
            f"the program {path} is not executable", where=where, remedy=f"chmod +x {shlex.quote(str(path))}"
        )
    return str(path)


def _refused(message: str, where: str, lines: yamltext.Lines) -> BadInput:
    """msgspec's message as an error at its line: it ends in `` - at `$.environment` ``."""
    what, _, trail = message.partition(" - at `$")
    path: yamltext.Path_ = tuple(part for part in re.findall(r"\w+", trail) if not part.isdigit())
    field = re.search(r"field `([^`]*)`", what)
    if field is not None and "unknown" in what:
        known = ", ".join(_EXAMPLES)
        at = yamltext.place(where, lines, (*path, field[1]))
        return BadInput(f"unknown key {field[1]!r}", where=at, remedy=f"the keys are: {known}")
    key = field[1] if field is not None else str(path[0]) if path else "command"
    what = f"key {key!r} is missing" if field is not None else f"{'.'.join(map(str, path))}: {what}"
    remedy = f"for example `{_EXAMPLES.get(key, _EXAMPLES['environment'])}`"
    return BadInput(what, where=yamltext.place(where, lines, path), remedy=remedy)
