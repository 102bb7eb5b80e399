"""Faults of a week, as scenario files and the command line have them: a mapping, or a line (``errors=12%@30s+20s``)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base import units
from harness.base.message import Message, message
from harness.base.planfile import RuleError
from harness.base.typed import PROGRAM
from harness.base.units import Milliseconds, Ratio
from harness.model.scenario import Pause, Span
from harness.model.stack import FINEST_SHARE, Fault, FaultKind

FORMS = message(
    "the forms are: {forms}, each with @30s to begin later, and +20s to end 20 s after that",
    forms="errors=12%, latency=600ms, latency=600ms:10%, unavailable=100%, pod_crash",
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
            if known:
                remedy = message("run it with `{command}`", command=f"{PROGRAM} chaos")
                raise RuleError(message("{name} is an experiment", name=word), remedy=remedy)
            raise RuleError(message("{value} is no fault", value=repr(text)), remedy=FORMS)
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
            raise RuleError(units.without_example(error), remedy=FORMS) from error


def fault_of(read: FaultFile, *keys: str | int) -> Fault:
    """The fault. Raises ``RuleError`` for one that makes no sense."""
    latency, crash = read.kind is FaultWord.LATENCY, read.kind is FaultWord.POD_CRASH
    if not FINEST_SHARE <= read.share <= 1:
        nothing = message("a share of {share} % hits nothing", share=f"{read.share * 100:g}")
        raise RuleError(nothing, *keys, "share", remedy="for example `share: 12%`")
    if latency and not read.delay_ms > 0:
        raise RuleError("a latency has a delay", *keys, "delay_ms", remedy="for example `delay: 600ms`")
    if read.delay_ms and not latency:
        none = message("{fault} has no delay", fault=read.kind)
        raise RuleError(none, *keys, "delay_ms", remedy="leave `delay` out, or say `latency`")
    if crash and (read.for_s or read.share != 1):
        raise RuleError("a pod that crashed is restarted by itself", *keys, remedy="leave `share` and `for` out")
    return Fault(
        kind=FaultKind(read.kind), share=read.share, delay_ms=read.delay_ms, after_s=read.at_s, for_s=read.for_s
    )


def within(faults: Sequence[Fault], window_s: float) -> tuple[int, Message] | None:
    """The first of ``faults`` that a window of ``window_s`` does not hold, by its place, and why; ``None``: none."""
    for index, fault in enumerate(faults):
        begin_s, end_s, of = fault.after_s, fault.after_s + fault.for_s, f"{window_s:g}"
        if begin_s >= window_s:
            return index, message("it begins {at} s into a window of {window} s", at=f"{begin_s:g}", window=of)
        if end_s > window_s:
            return index, message("it ends {at} s into a window of {window} s", at=f"{end_s:g}", window=of)
    return None
