"""The page templates: Jinja2 with whatever comes from evidence escaped, and ``say`` for every word of ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.report.language import Language

FOLDER = Path(__file__).with_name("templates")


@cache
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader([folder, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, say: Language, context: dict[str, Any], folder: Path = FOLDER) -> str:
    """The page that ``template`` makes of ``context``: a file of ``folder``, which may use those of ``templates``."""
    return _environment(folder).get_template(template).render(context, say=say)
