"""The image that a night rehearses: its digest, pulled by that, and named so that each step of a job takes it."""

from __future__ import annotations

import os
import subprocess

from night import gate, running
from night.errors import RED, Trouble

TOKEN = "REGISTRY_TOKEN"  # noqa: S105 - the variable's name


def login(user: str, image: str) -> None:
    """Logs Docker in at the image's registry with ``REGISTRY_TOKEN``; nothing for an image of docker.io without one.

    Raises ``Trouble``.
    """
    host = image.partition("/")[0]
    if not user or not os.environ.get(TOKEN) or not ({".", ":"} & set(host)):
        return
    words = ["login", host, "--username", user, "--password-stdin"]
    _docker(words, host, stdin=os.environ[TOKEN])


def by_digest(image: str) -> str:
    """``NAME@sha256:...`` of an image that may be named by a tag: what the tag leads to now. Raises ``Trouble``."""
    if "@" in image:
        return f"{image.partition('@')[0]}@{gate.digest(image)}"
    _docker(["pull", "--quiet", image], image)
    name = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
    found = [each for each in running.repository_digests(image) if each.partition("@")[0] == name]
    if not found:
        raise Trouble(f"{image} has no digest", remedy="push it to a registry")
    return found[0]


def take(image: str, name: str) -> str:
    """Pulls ``image`` by digest and names it ``name``; returns the digest that the name has. Raises ``Trouble``."""
    digest = gate.digest(image)
    _docker(["pull", "--quiet", image], image)
    _docker(["tag", image, name], image)
    if digest not in (found := running.image_digests(name)):
        raise Trouble(f"{name} is {', '.join(found) or 'of no digest'}, not {digest}", status=RED)
    return digest


def _docker(words: list[str], where: str, stdin: str = "") -> None:
    try:
        done = subprocess.run(["docker", *words], check=False, input=stdin, text=True, stdout=subprocess.DEVNULL)
    except OSError as error:
        raise Trouble(f"there is no docker: {error}", where=where, remedy="install it") from error
    if done.returncode != 0:
        remedy = "docker's own lines above say why; a private image needs --login and REGISTRY_TOKEN"
        raise Trouble(f"docker {words[0]} ended in {done.returncode}", where=where, remedy=remedy, status=RED)
