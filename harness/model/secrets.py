"""A database password in a secret store: its versions, the Secret that follows them, what pods have of it."""

from __future__ import annotations

import hashlib

import msgspec


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A login role of the database, as one version of the secret holds it. Evidence has its ``digest`` alone."""

    user: str
    password: str

    @property
    def digest(self) -> str:
        """SHA-256 of the password, hexadecimal: what a pod is asked for instead of the password."""
        return hashlib.sha256(self.password.encode()).hexdigest()


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """The Kubernetes Secret that the pods' variables are read from. ``managed``: the driver made it."""

    user: str
    digest: str
    managed: bool


class SecretSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What the target's container of a pod has: digests of its variable and of the mounted file, "" for none."""

    pod: str
    variable: str
    file: str


class VolumeTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one pod with a certain volume after ``watched_s``.

    ``started``: its target's container ran. ``asked``: the driver was asked for the volume and gave it. ``mounts`` are
    those of the container on the secrets' path. ``events`` are Kubernetes' own about the pod, each once.
    """

    name: str
    watched_s: float
    started: bool
    ready: bool
    asked: bool
    managed: bool  # the Secret is the driver's
    events: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
