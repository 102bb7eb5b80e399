"""The API under test: the bundled walk API, a command line, or a small YAML file (``--target``).

A target is told nothing but the environment contract (docs/contract/environment.md); what a file adds to its
environment is the target's own. The file says what cannot be guessed of a repository (docs/target.md has every key)::

    name: our Go backend               # default: the file's name
    command: ["./walk-api", "--quiet"] # or one line of text; a program with a slash is sought from `folder`
    folder: ../backend                 # where it runs, from the file's own folder; default: the file's folder
    program: [server.py, lib]          # what makes up the program, where the command hides it: files and folders
    environment: {FEATURE_X: "on"}     # added to the contract's variables, none of which may be replaced
    migrations: none                   # none (it migrates by itself), bundled (our SQL), or a command
    image: registry.example/walk-api:v3   # for clusters; or
    dockerfile: Dockerfile             # built by Docker for the rung kind, in the folder `context` (default: the
    context: .                         # Dockerfile's own)
    manifests: deploy/overlays/prod    # the kustomize folder that --manifests would name
    deployment: walk-api/server        # which Deployment, and which of its containers, is the API
    variables:                         # names beside the contract's own
      database: {host: PGHOST, password: PGPASSWORD}   # or {url: DATABASE_URL, form: "postgres://{user}:..."}
      auth: AUTH_EMULATOR
    metrics: {path: /metrics, variable: METRICS_LISTEN}
    secrets: {walk-db: {password: ""}} # made elsewhere: "" is generated, or a value; a list of keys generates all
    keep: [otel-collector, Deployment/redis]   # what else of the manifests is to run; its images are to be at hand
    openapi: api/openapi.yaml          # its own description of its API
    keeps: {degrees: 4, times_s: 0}    # decimals of a track's coordinates, times (s) and other numbers in its answers

A target file (``--target FILE.yaml``) is read here too: its keys are above, every error has its line.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from harness.base import yamltext
from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.base.home import expanded
from harness.base.message import nearest
from harness.base.options import unseen
from harness.base.shell import shell_words
from harness.model.message import Message, gettext_noop, message
from harness.model.stack import Target
from harness.model.variables import CONTRACT, URL_FORM, Meaning, url

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: The rung alone can say these, so a target file may not.
_RUNGS = frozenset(
    {"METRICS_PORT", "POD_NAME", "FIREBASE_CREDENTIALS_PATH", *(name for names in CONTRACT.values() for name in names)}
)
_EXAMPLES = {
    "name": "name: our Go backend",
    "command": 'command: ["./walk-api", "--quiet"]',
    "folder": "folder: ../backend",
    "program": "program: [server.py, lib]",
    "environment": 'environment: {FEATURE_X: "on"}',
    "migrations": "migrations: none",
    "image": "image: registry.example/walk-api:v3",
    "dockerfile": "dockerfile: Dockerfile",
    "context": "context: .",
    "manifests": "manifests: deploy/overlays/production",
    "deployment": "deployment: walk-api",
    "variables": "variables: {database: {host: PGHOST}, auth: AUTH_EMULATOR}",
    "metrics": "metrics: {path: /metrics, variable: METRICS_LISTEN}",
    "secrets": "secrets: {walk-db: [user, password]}",
    "keep": "keep: [Deployment/redis]",
    "openapi": "openapi: api/openapi.yaml",
    "keeps": "keeps: {degrees: 4}",
}
_DATABASE = tuple(each.rpartition(".")[2] for each in Meaning if each.startswith("database."))
_PLAIN = tuple(str(each) for each in Meaning if "." not in each and each is not Meaning.METRICS_PORT)

Names = str | list[str]
Place = dict[str, str]


class _Metrics(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    path: str = "/metrics"
    variable: Names = []


class _Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    command: Names = []
    name: str = ""
    folder: str = "."
    program: Names = []
    environment: dict[str, str] = {}
    migrations: Names = "none"
    image: str = ""
    dockerfile: str = ""
    context: str = ""
    manifests: str = ""
    deployment: str = ""
    variables: dict[str, str | list[str] | dict[str, Names]] = {}
    metrics: _Metrics = msgspec.field(default_factory=_Metrics)
    secrets: dict[str, list[str] | dict[str, str]] = {}
    keep: list[str] = []
    openapi: str = ""
    keeps: dict[Literal["degrees", "times_s", "numbers"], int] = {}


def likeness(data: Mapping[str, object]) -> int:
    """How many keys of ``data`` are those of a target file, less those that are not; 0 where but its name is one."""
    known = data.keys() & set(_Form.__struct_fields__)
    return len(known) - len(data.keys() - known) if known - {"name"} else 0


def from_file(path: Path) -> Target:
    """The target that the file ``path`` describes. Raises ``BadInput`` with the file, the line and an example."""
    where = str(path)
    found = yamltext.documents(yamltext.read(path), where)
    if len(found) != 1 or not isinstance(found[0][0], dict):
        raise BadInput(
            "a target file is one mapping of keys",
            where=where,
            remedy=message("begin with `{example}`", example=_EXAMPLES["command"]),
        )
    data, lines = found[0]
    try:
        form = msgspec.convert(data, _Form)
    except msgspec.ValidationError as error:
        raise _refused(error, data, where, lines) from error
    place = {key: yamltext.place(where, lines, (key,)) for key in _EXAMPLES}
    beside = path.absolute().parent
    folder = Path(_beside(beside, form.folder or ".", "folder", place, folder=True))
    for name in form.environment:
        if not _VARIABLE.fullmatch(name) or name in _RUNGS:
            what = (
                message("{name} is the rehearsal's to say", name=repr(name))
                if _VARIABLE.fullmatch(name)
                else message("{name} is no name of an environment variable", name=repr(name))
            )
            at = yamltext.place(where, lines, ("environment", name))
            raise BadInput(what, where=at, remedy="leave it out")
    command = _command(form, "command" in data, folder, place, where)
    migrations, migrations_folder = _migrations(form.migrations, folder, place["migrations"])
    image, dockerfile, context = _image(form, beside, place)
    variables, url_form = _variables(form, where, lines)
    return Target(
        name=form.name or path.stem,
        command=command,
        folder=str(folder),
        environment=form.environment,
        migrations=migrations,
        migrations_folder=migrations_folder,
        image=image,
        dockerfile=dockerfile,
        context=context,
        program=tuple(_beside(beside, each, "program", place, folder=None) for each in _list(form.program) if each),
        file=where,
        manifests=_beside(beside, form.manifests, "manifests", place, folder=True),
        deployment=form.deployment,
        variables=variables,
        url_form=url_form,
        metrics_path=form.metrics.path,
        secrets={
            name: dict.fromkeys(keys, "") if isinstance(keys, list) else keys for name, keys in form.secrets.items()
        },
        keep=tuple(form.keep),
        openapi=_beside(beside, form.openapi, "openapi", place),
        keeps={str(group): decimals for group, decimals in form.keeps.items()},
    )


def _command(form: _Form, given: bool, folder: Path, place: Place, where: str) -> tuple[str, ...]:
    """The program and its words; () where only an image is named. Raises ``BadInput`` when nothing is."""
    if given:
        words = _words(form.command, place["command"], "command")
        return (program(words[0], folder, place["command"]), *words[1:])
    if not form.image and not form.dockerfile:
        remedy = message(
            "for example `{command}`, or `{dockerfile}`, or `{image}`",
            command=_EXAMPLES["command"],
            dockerfile=_EXAMPLES["dockerfile"],
            image=_EXAMPLES["image"],
        )
        raise BadInput("key 'command' is missing, and no image is named", where=f"{where}:1", remedy=remedy)
    return ()


def _image(form: _Form, beside: Path, place: Place) -> tuple[str, str, str]:
    """Image, Dockerfile and the folder it is built in; "" for what is not given."""
    if form.image and form.dockerfile:
        raise BadInput("image and dockerfile are both given", where=place["dockerfile"], remedy="keep one of them")
    if any(letter.isspace() for letter in form.image):
        raise BadInput(
            message("{image} names no image", image=repr(form.image)),
            where=place["image"],
            remedy=f"`{_EXAMPLES['image']}`",
        )
    if form.context and not form.dockerfile:
        remedy = message("add `{example}`", example=_EXAMPLES["dockerfile"])
        raise BadInput("a context without a dockerfile", where=place["context"], remedy=remedy)
    dockerfile = _beside(beside, form.dockerfile, "dockerfile", place)
    context = _beside(beside, form.context, "context", place, folder=True)
    return form.image, dockerfile, context or (str(Path(dockerfile).parent) if dockerfile else "")


def _beside(beside: Path, given: str, key: str, place: Place, *, folder: bool | None = False) -> str:
    """The path of what is named from the file's own folder, ``folder`` ``None`` for a file or a folder; "" for nothing.
    Raises ``BadInput`` without it."""
    if not given:
        return ""
    try:
        path = beside / expanded(given)
    except BadInput as error:
        raise error.met(place[key]) from error
    what = unseen(path)
    if what is None and not (path.is_dir() if folder else path.is_file() or (folder is None and path.is_dir())):
        at = str(path.resolve())
        what = message("{path} is no folder", path=at) if folder else message("{path} is no file", path=at)
    if what is not None:
        raise BadInput(what, where=place[key], remedy=message("for example `{example}`", example=_EXAMPLES[key]))
    return str(path.resolve())


def _list(given: Names) -> list[str]:
    return [given] if isinstance(given, str) else given


def _variables(form: _Form, where: str, lines: yamltext.Lines) -> tuple[dict[str, tuple[str, ...]], str]:
    """The names by meaning, and the form of the database's URL. Raises ``BadInput``."""
    found: dict[str, tuple[str, ...]] = {}
    url_form = ""
    for key, given in form.variables.items():
        at = yamltext.place(where, lines, ("variables", key))
        if key == "database" and isinstance(given, dict):
            for part, names in given.items():
                place = yamltext.place(where, lines, ("variables", key, part))
                if part == "form":
                    url_form = _form(names, place)
                elif part in _DATABASE:
                    found[f"database.{part}"] = _names(names, place)
                else:
                    _unknown(part, (*_DATABASE, "form"), place)
        elif key in _PLAIN and not isinstance(given, dict):
            found[key] = _names(given, at)
        elif key == "database" or key in _PLAIN:
            what = message("a mapping of keys is wanted here")
            if key in _PLAIN:
                what = message("the name of an environment variable is wanted here")
            raise BadInput(what, where=at, remedy=message("for example `{example}`", example=_EXAMPLES["variables"]))
        else:
            _unknown(key, ("database", *_PLAIN), at)
    if form.metrics.variable:
        place = yamltext.place(where, lines, ("metrics", "variable"))
        found[Meaning.METRICS_PORT] = _names(form.metrics.variable, place)
    if not form.metrics.path.startswith("/"):
        place = yamltext.place(where, lines, ("metrics",))
        raise BadInput(
            message("{path} is no path", path=repr(form.metrics.path)),
            where=place,
            remedy=message("for example `{example}`", example=_EXAMPLES["metrics"]),
        )
    return found, url_form


def _unknown(key: str, known: tuple[str, ...], where: str) -> None:
    remedy = message("one of {names}; for example `{example}`", names=", ".join(known), example=_EXAMPLES["variables"])
    what = message("{key} means nothing here{near}", key=repr(key), near=nearest(key, known))
    raise BadInput(what, where=where, remedy=remedy)


def _form(given: Names, where: str) -> str:
    try:
        if not isinstance(given, str):
            raise TypeError(given)
        url({}, given)
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        remedy = message("the usual form is {url_form}", url_form=URL_FORM)
        raise BadInput(
            message("the form has a place that nothing fills: {error}", error=str(error)), where=where, remedy=remedy
        ) from error
    return given


def _names(given: Names, where: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if not _VARIABLE.fullmatch(name):
            remedy = message("for example `{example}`", example=_EXAMPLES["variables"])
            raise BadInput(
                message("{name} is no name of an environment variable", name=repr(name)), where=where, remedy=remedy
            )
    return names


def _migrations(given: Names, folder: Path, where: str) -> tuple[tuple[str, ...], str]:
    """The command, and the folder it runs in."""
    if given == "none":
        return (), ""
    if given == "bundled":
        return BUNDLED_MIGRATIONS, str(ROOT)
    words = _words(given, where, "migrations")
    return (program(words[0], folder, where), *words[1:]), str(folder)


def _words(given: Names, where: str, key: str) -> list[str]:
    words = split(given, where) if isinstance(given, str) else given
    if not words or not words[0]:
        raise BadInput(
            message("{key} is empty", key=key),
            where=where,
            remedy=message("for example `{example}`", example=_EXAMPLES[key]),
        )
    return words


def _refused(error: msgspec.ValidationError, data: object, where: str, lines: yamltext.Lines) -> BadInput:
    """msgspec's error at its line."""
    from harness.stack.manifests.faults import at_fault  # no help of a command reads manifests

    what, path = at_fault(data, error)
    field = re.search(r"field `([^`]*)`", what)
    if field is not None:
        known = [*(_Metrics if path else _Form).__struct_fields__]
        at = yamltext.place(where, lines, (*path, field[1]))
        told = message("unknown key {key}{near}", key=repr(field[1]), near=nearest(field[1], known))
        return BadInput(told, where=at, remedy=message("the keys are: {names}", names=", ".join(known)))
    key = str(path[0]) if path else "command"
    example = _EXAMPLES.get(key, _EXAMPLES["environment"])
    what = f"{yamltext.dotted(path)}: {what}"
    return BadInput(
        what, where=yamltext.place(where, lines, path), remedy=message("for example `{example}`", example=example)
    )


IMAGE = "image:"
_DEFAULT = "(default: the bundled walk API)"
TARGET_HELP = f"the API under test: a command line, a .yaml file, or image:NAME on a cluster {_DEFAULT}"
COMMAND_HELP = f"the API under test: a command line, or a .yaml file that has one {_DEFAULT}"
BUNDLED_MIGRATIONS = (sys.executable, "-m", "api", "migrate")


def bundled() -> Target:
    """The reference walk API of this repository, run as a command like any other target."""
    return Target(
        name=gettext_noop("bundled walk API (Python)"),
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
                message("{given} names no image", given=repr(text)),
                where="--target",
                remedy="for example --target image:walk-api:dev",
            )
        return Target(name=image, command=(), image=image)
    if text.endswith((".yaml", ".yml")) and " " not in text.strip():
        return from_file(Path(text))
    words = split(text, "--target")
    folder = Path.cwd()
    command = (program(words[0], folder, "--target"), *words[1:])
    return Target(name=shlex.join(words), command=command, folder=str(folder))


def resolve_command(text: str | None) -> Target:
    """As ``resolve``, for what runs on the rung ``local`` alone. Raises ``BadInput`` for an image."""
    target = resolve(text)
    if target.own_image and not target.command:
        raise BadInput(
            message("the environment local cannot run {what}", what=what_of(target)),
            where=target.file or "--target",
            remedy="name a command, or a .yaml file that has one; of an image alone, docs/backend.md says how to take "
            "its program out",
        )
    return as_command(target)


def what_of(target: Target) -> Message:
    """What of it would run, for people."""
    if target.image:
        return message("the image {image}", image=target.image)
    if target.dockerfile:
        return message("what {dockerfile} builds", dockerfile=target.dockerfile)
    return message("the command {name}", name=target.name)


def as_command(target: Target) -> Target:
    """The target as processes run it: its command, without an image."""
    return msgspec.structs.replace(target, image="", dockerfile="", context="") if target.own_image else target


def split(text: str, where: str) -> list[str]:
    """A command line's words. Raises ``BadInput`` for an open quote, and when there are none."""
    words = shell_words(text, where)
    if not words:
        raise BadInput("the target's command is empty", where=where, remedy="for example --target './walk-api --quiet'")
    return words


def program(word: str, folder: Path, where: str) -> str:
    """The program's path. Raises ``BadInput`` when it is not there or may not be executed."""
    if "/" not in word:
        found = shutil.which(word)
        if found is None:
            raise BadInput(
                message("no program {word} on the PATH", word=repr(word)),
                where=where,
                remedy=message("write ./{word} if it lies in {folder}", word=word, folder=str(folder)),
            )
        return found
    path = folder / expanded(word)
    if (why := unseen(path)) is not None:
        raise BadInput(why, where=where, remedy="correct the path, or let this user look into its folder")
    if not path.is_file():
        raise BadInput(
            message("the program {path} is not there", path=str(path)),
            where=where,
            remedy="build it first, or correct the path",
        )
    if not os.access(path, os.X_OK):
        raise BadInput(
            message("the program {path} is not executable", path=str(path)),
            where=where,
            remedy=message("chmod +x {path}", path=shlex.quote(str(path))),
        )
    return str(path)
