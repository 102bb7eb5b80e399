"""What a run of security leaves to be judged, and what it was asked for."""

from __future__ import annotations

import msgspec

from harness.checks.contract.run import CheckRun
from harness.model.message import gettext_noop


class SecurityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried. ``only`` are patterns of check ids, all when there is none; ``production``: the target is the
    bundled API, which is tried as production has it, too."""

    name: str = "security"
    title: str = gettext_noop("Security: tokens, identities, injection, secrets, privileges")
    only: tuple[str, ...] = ()
    production: bool = True


class SecurityDetails(msgspec.Struct, kw_only=True):
    """The facts of a run: ``checks`` in the order in which they ran. ``environment`` is what the folder tells its pods
    to be, and so was told to the API in production mode; "" where that was not tried."""

    checks: list[CheckRun] = []
    environment: str = ""
