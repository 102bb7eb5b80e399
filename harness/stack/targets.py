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
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import msgspec

from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.base.home import expanded
from harness.base.options import unseen
from harness.base.shell import shell_words
from harness.model.message import Message, marked, message
from harness.model.stack import Target

IMAGE = "image:"
_DEFAULT = "(default: the bundled walk API)"
TARGET_HELP = f"the API under test: a command line, a .yaml file, or image:NAME on a cluster {_DEFAULT}"
COMMAND_HELP = f"the API under test: a command line, or a .yaml file that has one {_DEFAULT}"
BUNDLED_MIGRATIONS = (sys.executable, "-m", "api", "migrate")


def bundled() -> Target:
    """The reference walk API of this repository, run as a command like any other target."""
    return Target(
        name=marked("bundled walk API (Python)"),
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
        from harness.stack.target_file import from_file

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
