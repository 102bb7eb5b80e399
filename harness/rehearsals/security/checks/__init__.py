"""Every check of security, in the order people read them, and when each is made."""

from __future__ import annotations

from harness.checks.contract.check import Check
from harness.checks.contract.checks import bad_input, ownership, protocol
from harness.model.message import gettext_noop
from harness.rehearsals.security.checks import accounts, heavy, identities, injection, privileges, secrets, tokens

#: Of the target as the stack has it, in any order.
ASKED: tuple[Check, ...] = tuple(
    check
    for module in (tokens, accounts, identities, ownership, injection, bad_input, heavy, protocol)
    for check in module.CHECKS
)
#: Of the bundled API as production has it.
PRODUCTION: tuple[Check, ...] = tuple(tokens.PRODUCTION)
#: When all others were made: of what they left.
LEFT: tuple[Check, ...] = (*secrets.CHECKS, *privileges.CHECKS)

ALL: tuple[Check, ...] = (*ASKED, *PRODUCTION, *LEFT)

#: What no check here can tell, whatever the target.
NOT_COVERED = (
    gettext_noop(
        "signatures of a target of your own: against the Auth emulator nobody verifies one, and nothing but Google "
        "signs for production"
    ),
    gettext_noop("IAM of Google Cloud: which roles the target's Google service account really has"),
    gettext_noop("images: known vulnerabilities of the programs in them are a scanner's to say"),
    gettext_noop("the way to the Service: TLS and addresses are those of `nox -s network`"),
)
