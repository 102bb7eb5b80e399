"""``python -m harness security``."""

from __future__ import annotations

from dataclasses import dataclass

from harness.rehearsal.arguments import Staged
from harness.rehearsal.command import option
from harness.rehearsals.security.types import SecurityPlan
from harness.stack.targets import resolve


@dataclass(frozen=True, kw_only=True)
class Security(Staged):
    """Tokens, identities, injection, secrets, privileges.

    The bundled API is tried in production mode, too: signed tokens of an issuer on this machine.
    """

    name = "security"
    example = "--on local --only 'token.*'"

    only: tuple[str, ...] = option("only checks like 'token.*' (repeatable)", default=(), metavar="PATTERN")

    def planned(self) -> SecurityPlan:
        """The checks that are chosen."""
        from harness.contract.chosen import chosen
        from harness.rehearsals.security.checks import ALL  # the checks' libraries load here

        chosen(ALL, self.only)
        return SecurityPlan(only=self.only, production=resolve(self.target).bundled)
