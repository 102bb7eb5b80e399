"""Command lines that people write."""

from __future__ import annotations

import shlex

from harness.base.errors import BadInput
from harness.base.message import message
from harness.base.phase import Said


def shell_words(text: str, where: Said | str) -> list[str]:
    """The words of ``text`` as a shell has them. Raises ``BadInput`` for a quote that is not closed."""
    try:
        return shlex.split(text)
    except ValueError as error:
        told = message("{given} is no command line: {error}", given=repr(text), error=str(error))
        raise BadInput(told, where=where, remedy="close the quotes") from error
