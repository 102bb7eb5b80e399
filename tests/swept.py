"""What a sweep removes, whatever a test beside leaves: control groups are the machine's, and no home's."""

from __future__ import annotations

from harness.model.message import Message, ProgressCallback
from harness.stack.state import sweep

GROUPS = "control groups of runs that are gone"


def swept(tell: ProgressCallback = lambda _: None) -> list[Message]:
    """All that is removed and told but the groups of runs that a test beside has killed: their next command may come
    later."""
    return [each for each in sweep(lambda each: None if GROUPS in each.text else tell(each)) if GROUPS not in each.text]
