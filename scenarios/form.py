"""What the plans import that are not read by ``harness.base.planfile`` yet; it goes with the last of them."""

from __future__ import annotations

import msgspec

from harness.base import planfile

nearest = planfile.nearest


class Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A mapping of a plan file."""
