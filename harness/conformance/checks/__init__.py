"""Every check, in the order people read them. They run in any order."""

from __future__ import annotations

from harness.conformance.check import Check
from harness.conformance.checks import (
    auth,
    bad_input,
    dual_write,
    errors,
    limits,
    listing,
    logs,
    operations,
    ownership,
    photos,
    postgres,
    rate_limit,
    stopping,
    upsert,
    walks,
)

_MODULES = (
    operations,
    walks,
    upsert,
    listing,
    ownership,
    auth,
    limits,
    bad_input,
    errors,
    rate_limit,
    postgres,
    dual_write,
    photos,
    logs,
    stopping,
)

ALL: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)

#: What no check here can tell, whatever the target.
NOT_COVERED = (
    "token signatures: the Auth emulator's tokens carry none, and Google's own libraries look at none against it",
    "photos that the target itself would upload: the app uploads them straight to Storage",
    "requests while Firestore is down: a fault of the chaos scenarios",
    "speed: the rollout scenarios judge it under load",
)
