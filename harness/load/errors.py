"""How a load process can fail, and the exit status it then ends in. Never a failure of the target."""

from __future__ import annotations

OK = 0
BAD_PLAN = 2
MEASUREMENT = 3
EVIDENCE = 4
