"""Read by schemathesis itself (``SCHEMATHESIS_HOOKS``): each request in the name of the next of many users.

With one user the contract's limit of 100 requests a minute would answer 429 before a case could show anything.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import schemathesis

TOKENS_VARIABLE = "REHEARSAL_FUZZ_TOKENS"  # the file with one ID token a line
_tokens = itertools.cycle(Path(os.environ[TOKENS_VARIABLE]).read_text().split())


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - the hook's signature
    """Signs the request in."""
    case.headers["Authorization"] = f"Bearer {next(_tokens)}"
