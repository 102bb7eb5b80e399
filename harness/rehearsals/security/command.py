"""``python -m harness security``."""

from __future__ import annotations

from dataclasses import dataclass

from harness.rehearsals.security.types import SecurityPlan
from harness.run.arguments import Staged
from harness.run.only import chosen, only
from harness.stack.target.targets import resolve


@dataclass(frozen=True, kw_only=True)
class SecurityCommand(Staged):
    """Tokens, identities, injection, secrets, privileges.

    The bundled API is tried in production mode, too: signed tokens of an issuer on this machine.
    """

    name = "security"
    example = "--on local --only 'token.*'"

    only: tuple[str, ...] = only("checks, such as 'token.*'")

    def planned(self) -> SecurityPlan:
        """The checks that are chosen."""
        from harness.rehearsals.security.checks import ALL  # the checks' libraries load here

        asked = chosen(self.only, [check.id for check in ALL])
        return SecurityPlan(only=asked if self.only else (), production=resolve(self.target).bundled)
