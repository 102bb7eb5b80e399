"""The firebase-admin application of this process, and its credentials. Importing this costs about half a second."""

from __future__ import annotations

import os
from typing import Any

import firebase_admin
from firebase_admin import credentials
from google.auth.credentials import AnonymousCredentials

from api.settings import Settings

_EMULATORS = ("FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")


def start(settings: Settings) -> Any:
    """A firebase-admin app for ``settings``.

    firebase-admin reads the emulators' addresses from the process' environment at each call; they are set to what the
    settings say, and removed where the settings say nothing, so that no stray variable turns signatures off.
    """
    for name, value in zip(_EMULATORS, (settings.auth_emulator_host, settings.firestore_emulator_host), strict=True):
        os.environ.pop(name, None)
        if value:
            os.environ[name] = value
    return firebase_admin.initialize_app(_credential(settings), {"projectId": settings.project_id}, name="walk-api")


def _credential(settings: Settings) -> Any:
    if settings.credentials_path:
        return credentials.Certificate(settings.credentials_path)
    if settings.auth_emulator_host or settings.firestore_emulator_host:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    return credentials.ApplicationDefault()  # Workload Identity
