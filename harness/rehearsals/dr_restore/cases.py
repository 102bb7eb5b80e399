"""What the parts of a recovery rehearsal leave to be judged."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.model.message import Message, message
from harness.model.verdict import Verdict

#: The case of the part on the stack; the others are named as their disasters are.
ON_STACK = "stack_lost_data_folder"
#: The parts of an RTO, in order. What looks at a restored instance before traffic is no part of it, and told apart.
RTO_PARTS = ("detect", "restore", "replay", "switch", "ready")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at; ``told`` is what was seen. ``unknown``: what was seen does not say whether it holds."""

    name: Message
    ok: bool
    told: Message
    unknown: bool = False


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """Whether all of ``checks`` hold; inconclusive of none."""
    if any(not check.ok and not check.unknown for check in checks):
        return Verdict.FAIL
    return Verdict.PASS if checks and all(check.ok for check in checks) else Verdict.INCONCLUSIVE


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What the restore lost, by the sentinels. Disaster minus commit of the last one recovered lies between
    ``rpo_least_s`` (the disaster begun, the commit acknowledged) and ``rpo_s`` (known to have happened, the commit
    sent). ``holes``: acknowledged before it, and not there. ``unknown``: there, and never sent.
    """

    rpo_s: float | None
    rpo_least_s: float | None
    acknowledged: int
    recovered: int
    lost: int
    holes: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()

    @property
    def exact(self) -> bool:
        """The restore holds a prefix of what was acknowledged, and nothing else."""
        return not self.holes and not self.unknown

    @property
    def told(self) -> Message:
        """For people."""
        return message(
            "{recovered} of {acknowledged} recovered, {holes} holes, {unknown} unknown",
            recovered=str(self.recovered),
            acknowledged=str(self.acknowledged),
            holes=str(len(self.holes)),
            unknown=str(len(self.unknown)),
        )


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """A disaster and its recovery. ``rto_s`` by part, seconds; ``with_stack``: under the users' traffic."""

    id: str
    title: Message
    with_stack: bool
    point: Message
    loss: Loss
    rto_s: dict[str, float]
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether every check holds."""
        return verdict_of(self.checks)

    @property
    def word(self) -> Message:
        """The same, for people."""
        if self.verdict is Verdict.INCONCLUSIVE:
            return message("not known whether all hold")
        return message("all hold") if self.verdict is Verdict.PASS else message("not all hold")

    @property
    def total_s(self) -> float:
        """The RTO."""
        return sum(self.rto_s.values())


class SizePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One measured restore."""

    size_bytes: int
    wal_bytes: int
    restore_s: float
    replay_s: float


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Restore + replay for ``production_bytes`` by the line through ``points``; ``upper_s``: 95 % prediction bound.

    ``None`` where the line does not rise: then size explains nothing, and nothing is said of a larger one.
    """

    name: str
    production_bytes: int
    points: tuple[SizePoint, ...]
    seconds_per_gib: float
    fixed_s: float
    expected_s: float | None
    upper_s: float | None
    machine: str


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """Ours against the bare work on the same backup in the same run, seconds."""

    size_bytes: int
    restore_s: float
    replay_s: float
    switch_s: float
    raw_copy_s: float
    raw_replay_s: float

    @property
    def difference_s(self) -> float:
        """Restore + replay + switch, minus raw copy + replay."""
        return self.restore_s + self.replay_s + self.switch_s - self.raw_copy_s - self.raw_replay_s
