"""A command that a person types, and what became of it."""

from __future__ import annotations

import re

import msgspec

#: Lines of kubectl that show nothing of what was asked for: its own words, errors, a table's head.
_NOTHING = re.compile(
    r"\s*$|No resources found|error\b|Error from server|Warning:|Found \d+ pods, using|Defaulted container|Waiting for"
    r"|(NAME|NAMESPACE|LAST SEEN)\s"
)


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was run: ``status`` is its exit status, -1 when it was ended after its time."""

    command: str
    status: int
    output: str

    @property
    def answered(self) -> bool:
        """Whether it ended in 0 and said more than that nothing is there."""
        return self.status == 0 and any(_NOTHING.match(line) is None for line in self.output.splitlines())
