"""Faults of a week, as scenario files and the command line have them: a mapping, or a line (``errors=12%@30s+20s``)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base import units
from harness.base.interpreter import PROGRAM
from harness.base.planfile import RuleError
from harness.base.units import Milliseconds, Ratio
from harness.model.scenario import Pause, Span
from harness.model.stack import FINEST_SHARE, Fault, FaultKind

FORMS = (
    "errors=12%, latency=600ms, latency=600ms:10%, unavailable=100%, pod_crash, each with @30s to begin later, "
    "and +20s to end 20 s after that"
)


class FaultWord(StrEnum):
    """The faults that a week takes; the others belong to the experiments of ``chaos/``."""

    ERRORS = "errors"
    LATENCY = "latency"
    UNAVAILABLE = "unavailable"
    POD_CRASH = "pod_crash"


class FaultFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fault: a mapping, or one line such as ``errors=12%@30s+20s``. It begins ``at`` (from the window's start) and
    lasts ``for`` (to the window's end where none is given); ``share`` is the part of requests that is hit, ``delay``
    belongs to ``latency``.
    """

    kind: FaultWord
    share: Annotated[Ratio, msgspec.Meta(examples=["12%"])] = 1.0
    delay_ms: Annotated[Milliseconds, msgspec.Meta(examples=["600ms"])] = 0.0
    at_s: Pause = 0.0
    for_s: Span = 0.0

    @classmethod
    def of_text(cls, text: str) -> FaultFile:
        """A fault in one line. Raises ``RuleError`` for any other."""
        head, _, when = text.partition("@")
        name, sign, amount = head.partition("=")
        at, plus, length = when.partition("+")
        word = name.strip()
        if word not in list(FaultWord):
            known = word in list(FaultKind)
            what = f"{word} is an experiment" if known else f"{text!r} is no fault"
            raise RuleError(what, remedy=f"run it with `{PROGRAM} chaos`" if known else f"the forms are: {FORMS}")
        try:
            delay, _, share = amount.partition(":") if word == FaultWord.LATENCY else ("", "", amount)
            if plus and units.seconds(length) == 0:
                raise ValueError("a fault that lasts no time is none")
            return cls(
                kind=FaultWord(word),
                share=units.ratio(share) if share or (sign and word != FaultWord.LATENCY) else 1.0,
                delay_ms=units.quantity(delay, units.Unit.MILLISECONDS) if word == FaultWord.LATENCY else 0.0,
                at_s=units.seconds(at) if at or plus else 0.0,
                for_s=units.seconds(length) if plus else 0.0,
            )
        except ValueError as error:
            what = str(error).partition("; write for example ")[0]
            raise RuleError(what, remedy=f"the forms are: {FORMS}") from error


def fault_of(read: FaultFile, *keys: str | int) -> Fault:
    """The fault. Raises ``RuleError`` for one that makes no sense."""
    latency, crash = read.kind is FaultWord.LATENCY, read.kind is FaultWord.POD_CRASH
    if not FINEST_SHARE <= read.share <= 1:
        raise RuleError(
            f"a share of {read.share * 100:g} % hits nothing", *keys, "share", remedy="for example `share: 12%`"
        )
    if latency and not read.delay_ms > 0:
        raise RuleError("a latency has a delay", *keys, "delay_ms", remedy="for example `delay: 600ms`")
    if read.delay_ms and not latency:
        raise RuleError(f"{read.kind} has no delay", *keys, "delay_ms", remedy="leave `delay` out, or say `latency`")
    if crash and (read.for_s or read.share != 1):
        raise RuleError("a pod that crashed is restarted by itself", *keys, remedy="leave `share` and `for` out")
    return Fault(
        kind=FaultKind(read.kind), share=read.share, delay_ms=read.delay_ms, after_s=read.at_s, for_s=read.for_s
    )


def within(faults: Sequence[Fault], window_s: float) -> tuple[int, str] | None:
    """The first of ``faults`` that a window of ``window_s`` does not hold, by its place, and why; ``None``: none."""
    for index, fault in enumerate(faults):
        if fault.after_s >= window_s:
            return index, f"it begins {fault.after_s:g} s into a window of {window_s:g} s"
        if fault.after_s + fault.for_s > window_s:
            return index, f"it ends {fault.after_s + fault.for_s:g} s into a window of {window_s:g} s"
    return None
