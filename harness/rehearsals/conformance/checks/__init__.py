"""Every check, in the order people read them. They run in any order."""

from __future__ import annotations

from harness.checks.contract.check import Check
from harness.checks.contract.checks import bad_input, ownership, protocol
from harness.model.message import gettext_noop
from harness.rehearsals.conformance.checks import (
    auth,
    dual_write,
    errors,
    limits,
    listing,
    logs,
    operations,
    photos,
    postgres,
    rate_limit,
    reading,
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
    protocol,
    rate_limit,
    postgres,
    dual_write,
    photos,
    logs,
    stopping,
    reading,
)

ALL: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)

#: What no check here can tell, whatever the target.
NOT_COVERED = (
    gettext_noop(
        "token signatures: the Auth emulator's tokens carry none, and Google's own libraries look at none against it"
    ),
    gettext_noop("photos that the target itself would upload: the app uploads them straight to Storage"),
    gettext_noop("requests while Firestore is down: a fault of the chaos scenarios"),
    gettext_noop("speed: the rollout scenarios judge it under load"),
)
