"""Every claim has a way to a state, and the register says the true one."""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from pathlib import Path

from harness.base.data import PLANS, ROOT, SCENARIOS
from harness.rehearsal.registry import COMMANDS
from scenarios import claims

FOLDERS = {entry.name: entry.at.split(".")[2] for entry in COMMANDS}
#: What is looked at beside whatever is rehearsed under load.
UNDER_LOAD = ("rollout", "chaos", "rolling_update", "deploy_rehearsal", "load_stages", "scaling", "secret_rotation")
BESIDE = ("harness/checks/*.py", "harness/judge/*.py", "harness/rehearsal/closing.py")
_ID = re.compile(r"(?<![\w.])[a-z0-9_]+(?:\.[a-z0-9_]+)+(?!\.?\w)")


@cache
def named_in(files: tuple[Path, ...]) -> frozenset[str]:
    """The claims that the files name."""
    words = chain.from_iterable(_ID.findall(path.read_text("utf-8")) for path in files)
    return frozenset(words) & claims.REGISTER.keys()


@cache
def judged_by(command: str) -> frozenset[str]:
    """The claims that a command's rehearsal can judge: its own code, plans and experiments, and what is beside it."""
    folder = FOLDERS[command]
    files = [*(ROOT / "harness/rehearsals" / folder).rglob("*.py"), *PLANS.glob(f"{command}.yaml")]
    files += [*PLANS.glob(f"{folder}.yaml")]
    files += SCENARIOS.glob("rollout_*.yaml") if folder == "rollout" else ()
    files += (ROOT / "chaos/experiments").glob("*.yaml") if folder == "chaos" else ()
    if command in UNDER_LOAD:
        files += [path for pattern in BESIDE for path in ROOT.glob(pattern)]
    return named_in(tuple(sorted(files)))


def test_every_claim_has_a_way_to_a_state() -> None:
    for claim in claims.REGISTER.values():
        way = claim.state_from
        assert not (way.commands and way.person), f"{claim.id}: judged, or a person's: not both"
        assert set(way.commands) <= FOLDERS.keys(), claim.id
        assert set(way.facts) <= claims.REGISTER.keys() - {claim.id}, claim.id
        for command in way.commands:
            assert claim.id in judged_by(command), f"no code or plan of {command} names {claim.id}"


def test_what_a_rehearsal_names_is_said_to_be_judged_by_it() -> None:
    """A claim with a verdict somewhere is neither a person's nor without anything that judges it."""
    named = {claim for command in FOLDERS for claim in judged_by(command)}
    unsaid = [name for name in sorted(named) if not claims.REGISTER[name].state_from.commands]
    assert unsaid == []
    by_own = {command: named_in(tuple(sorted(PLANS.glob(f"{command}.yaml")))) for command in FOLDERS}
    missing = [
        (command, name)
        for command, names in by_own.items()
        for name in sorted(names)
        if command not in claims.REGISTER[name].state_from.commands
    ]
    assert missing == []
