"""Criteria as files have them: a mapping, or one line such as ``availability > 99.5%``; and what makes no sense."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

from harness.base.message import Message, gettext_noop, message, nearest
from harness.base.planfile import RuleError
from harness.base.units import Unit, quantity, seconds, without_example
from harness.base.yamltext import dotted
from harness.model.evidence import Operation
from harness.model.judgement import Kind
from harness.model.scenario import (
    BY_OPERATION,
    METRIC_UNIT,
    QUANTILE,
    RATIOS,
    By,
    Comparison,
    Criterion,
    Metric,
    Pause,
    PopulationPlan,
    Sample,
    Span,
    usual_sample,
)
from harness.model.stack import Capability

W = TypeVar("W", bound=StrEnum)

Keys = tuple[str | int, ...]

MOST_SAMPLES = 1_000_000  # more than any window holds
_EXAMPLE = message("for example {example}", example="`availability > 99.5%`")
_LINE = re.compile(
    r"(?:(?P<kind>\w+)\s+)?(?P<metric>\w+)\s*(?:\[\s*(?P<operation>\w+)\s*\]\s*)?"
    r"(?:\[\s*step\s*=\s*(?P<step>[\w.]+)\s*\]\s*)?"
    r"(?P<comparison>[<>=!]+)\s*(?P<threshold>[^<>=!]+)"
)
_ID = re.compile(r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*")


class KindWord(StrEnum):
    """What a criterion is, in a file."""

    SUCCESS = "success"
    ROLLBACK = "rollback"


_KINDS = {KindWord.SUCCESS: Kind.CRITERION, KindWord.ROLLBACK: Kind.ROLLBACK_LIMIT}

#: What each metric's success says; a rollback limit fires on the other side.
_SAYS = {
    KindWord.SUCCESS: {
        Metric.ERROR_RATIO: Comparison.BELOW,
        Metric.AVAILABILITY: Comparison.ABOVE,
        **dict.fromkeys(QUANTILE, Comparison.BELOW),
        Metric.REQUEST_RATE: Comparison.AT_LEAST,
        Metric.CONCURRENT_USERS: Comparison.AT_LEAST,
    },
    KindWord.ROLLBACK: {
        Metric.ERROR_RATIO: Comparison.ABOVE,
        Metric.AVAILABILITY: Comparison.BELOW,
        **dict.fromkeys(QUANTILE, Comparison.ABOVE),
    },
}


class CriterionFile(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion: a mapping, or one line such as ``availability > 99.5%``, ``latency_p95[create_walk] < 800ms`` or
    ``error_ratio[step=60s] < 1%``, which is about the step of the load that begins at 60 s.

    Under ``criteria`` its kind comes first (``success availability > 99.5%``); under ``success`` and ``rollback`` the
    list says it. ``sample`` says whose requests are asked: the users' or the probes'. ``by: value`` passes a ratio by
    what was measured, not by its bound. ``limit_from`` names the criterion or claim that the limit is taken from.
    Up to ``crowded_limit`` a broken latency limit is inconclusive where other processes crowd the machine.
    """

    id: Annotated[str, msgspec.Meta(examples=["success.availability"])] = ""
    claim: Annotated[str, msgspec.Meta(examples=["rollout.week3.success.availability"])] = ""
    kind: KindWord | None = None
    metric: Metric
    comparison: Annotated[Comparison, msgspec.Meta(examples=['">"'])]
    threshold: Annotated[str, msgspec.Meta(examples=["99.5%"])]
    operation: Operation | None = None
    step_s: Annotated[Pause, msgspec.Meta(examples=["60s"])] | None = None
    smallest_sample: Annotated[int, msgspec.Meta(ge=0, le=MOST_SAMPLES, examples=[598])] = 0
    needs: tuple[Capability, ...] = ()
    sample: Sample | None = None
    by: By = By.BOUND
    limit_from: Annotated[str, msgspec.Meta(examples=["success.availability"])] = ""
    crowded_limit_s: Annotated[Span, msgspec.Meta(examples=["2s"])] | None = None

    @classmethod
    def of_text(cls, text: str) -> CriterionFile:
        """A criterion in one line. Raises ``RuleError`` for any other."""
        found = _LINE.fullmatch(text.strip())
        if found is None:
            told = message("{value} is no criterion: metric, comparison, threshold", value=repr(text))
            raise RuleError(told, remedy=_EXAMPLE)
        return cls(
            kind=None if found["kind"] is None else _word(KindWord, found["kind"], gettext_noop("kind")),
            metric=_word(Metric, found["metric"], gettext_noop("metric")),
            comparison=_word(Comparison, found["comparison"], gettext_noop("comparison")),
            threshold=found["threshold"].strip(),
            operation=None
            if found["operation"] is None
            else _word(Operation, found["operation"], gettext_noop("operation")),
            step_s=None if found["step"] is None else _seconds(found["step"]),
        )


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion and where it stands: ``at`` are the keys that lead to it, ``kind`` is what its list says it is."""

    at: Keys
    criterion: CriterionFile
    kind: KindWord | None = None


def criteria_of(listed: Sequence[Listed]) -> tuple[Criterion, ...]:
    """The criteria, in their order. One that has no id is called by kind, metric and operation, and by a number where
    that is taken. Raises ``RuleError`` for one that makes no sense.
    """
    if not listed:
        remedy = "for example `success: [availability > 99.5%]`"
        raise RuleError("no criteria: nothing would be judged", "criteria", remedy=remedy)
    taken: dict[str, Keys] = {}
    for each in listed:
        name = each.criterion.id
        if name and not _ID.fullmatch(name):
            told = message("{name} is no criterion's id (words joined by dots)", name=repr(name))
            raise RuleError(told, *each.at, "id")
        if name in taken:
            first = dotted(taken[name])
            what = message("id {name} is given twice, first in {first}", name=repr(name), first=first)
            raise RuleError(what, *each.at, "id", remedy="give each its own id")
        if name:
            taken[name] = each.at
    found = []
    for each in listed:
        word = kind_of(each.criterion, each.kind, each.at)
        of = f".{each.criterion.operation}" if each.criterion.operation else ""
        of += f".step_{each.criterion.step_s:g}s" if each.criterion.step_s is not None else ""
        of += (
            f".{each.criterion.sample}"
            if each.criterion.sample not in {None, usual_sample(each.criterion.metric)}
            else ""
        )
        name = each.criterion.id or _free(f"{word}.{each.criterion.metric}{of}", taken)
        taken[name] = each.at
        found.append(criterion(each.criterion, name, word, each.at))
    return tuple(found)


def kind_of(each: CriterionFile, listed_as: KindWord | None, at: Keys) -> KindWord:
    """What a criterion is: by its own word or by its list. Raises ``RuleError`` where neither says it, or not both the
    same.
    """
    if listed_as is None:
        if each.kind is None:
            remedy = "write `kind: success`, or one line such as `success availability > 99.5%`"
            raise RuleError("key 'kind' is missing", *at, "kind", remedy=remedy)
        return each.kind
    if each.kind not in {None, listed_as}:
        kind = str(each.kind)
        told = message("a {kind} criterion under {key}", kind=kind, key=str(at[0]))
        raise RuleError(told, *at, "kind", remedy=message("move it to `{kind}:`, or leave the word out", kind=kind))
    return listed_as


def _free(name: str, taken: dict[str, Keys]) -> str:
    number = 2
    while name in taken and f"{name}.{number}" in taken:
        number += 1
    return name if name not in taken else f"{name}.{number}"


def criterion(each: CriterionFile, name: str, word: KindWord, at: Keys) -> Criterion:
    """The criterion called ``name``, its numbers resolved. Raises ``RuleError`` for one that makes no sense."""
    says = _SAYS[word]
    if each.metric not in says:
        told = message("{metric} has no rollback limit", metric=each.metric)
        raise RuleError(told, *at, "metric", remedy=message("use one of {names}", names=", ".join(says)))
    if each.comparison is not says[each.metric]:
        right = says[each.metric].value
        said = {"kind": word, "metric": each.metric, "right": repr(right), "given": repr(each.comparison.value)}
        what = message("a {kind} criterion on {metric} says {right}, not {given}", **said)
        remedy = message('write `comparison: "{right}"`, or `{metric} {right} ...`', right=right, metric=each.metric)
        raise RuleError(what, *at, "comparison", remedy=remedy)
    names = ", ".join(sorted(BY_OPERATION))
    if each.operation is not None and each.metric not in BY_OPERATION:
        what = message("{metric} is not judged of one operation", metric=each.metric)
        left = {"names": names, "operation": each.operation}
        remedy = message("use one of {names}, or leave `[{operation}]` out", **left)
        raise RuleError(what, *at, "operation", remedy=remedy)
    if each.step_s is not None and each.metric not in BY_OPERATION:
        what = message("{metric} is not judged of one step", metric=each.metric)
        raise RuleError(what, *at, "step_s", remedy=message("use one of {names}, or leave the step out", names=names))
    _asks(each, word, at)
    return Criterion(
        id=name,
        claim=each.claim,
        kind=_KINDS[word],
        metric=each.metric,
        comparison=each.comparison,
        threshold=_threshold(each, (*at, "threshold")),
        operation=each.operation,
        step_s=each.step_s,
        smallest_sample=each.smallest_sample,
        needs=each.needs,
        sample=each.sample,
        by=each.by,
        limit_from=each.limit_from,
        crowded_limit_ms=None if each.crowded_limit_s is None else each.crowded_limit_s * 1000,
    )


def _asks(each: CriterionFile, word: KindWord, at: Keys) -> None:
    """Raises ``RuleError`` for a sample, a way of judging or a crowded limit that the criterion cannot have."""
    whole = each.metric in RATIOS and each.operation is None and each.step_s is None
    if each.sample is Sample.PROBES and not whole:
        what = message("probes are asked for a ratio of all of them alone, not for {metric}", metric=each.metric)
        raise RuleError(what, *at, "sample", remedy=message("write `sample: users`, or leave it out"))
    if each.by is By.VALUE and (word is KindWord.ROLLBACK or each.metric not in RATIOS):
        what = message("`by: value` is for a success criterion on a ratio")
        remedy = message("leave `by` out: a rollback limit and a count are read by value anyway")
        raise RuleError(what, *at, "by", remedy=remedy)
    if each.crowded_limit_s is not None and (word is KindWord.ROLLBACK or each.metric not in QUANTILE):
        what = message("`crowded_limit` is for a success criterion on latency")
        raise RuleError(what, *at, "crowded_limit_s", remedy=message("leave it out"))


#: How a threshold of each unit is written.
_WRITTEN = {Unit.RATIO: "99.5%", Unit.MILLISECONDS: "500ms", Unit.PER_SECOND: "3/s", Unit.USERS: "250users"}


def _threshold(each: CriterionFile, at: Keys) -> float:
    unit = METRIC_UNIT[each.metric]
    of = {"metric": each.metric, "comparison": each.comparison, "example": _WRITTEN[unit]}
    remedy = message("for example `threshold: {example}`, or `{metric} {comparison} {example}`", **of)
    try:
        value = quantity(each.threshold, unit)
    except ValueError as error:
        raise RuleError(without_example(error), *at, remedy=remedy) from error
    given = repr(each.threshold)
    if not 0 < value < float("inf"):
        short = repr(each.threshold[:20])
        raise RuleError(message("{value} is not above 0, or too large", value=short), *at, remedy=remedy)
    if unit is Unit.RATIO and value >= 1:
        what = message("{value} can be neither met nor broken; it must be between 0% and 100%", value=given)
        raise RuleError(what, *at, remedy=remedy)
    if unit is Unit.USERS and value != round(value):
        raise RuleError(message("{value} is no whole number of users", value=given), *at, remedy=remedy)
    return value


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise RuleError(without_example(error), remedy="for example `[step=60s]`") from error


def _word(words: type[W], text: str, what: str) -> W:
    try:
        return words(text)
    except ValueError:
        known = [str(each) for each in words]
        told = message(
            "{value} is no {what}{near}", value=repr(text), what=Message(text=what), near=nearest(text, known)
        )
        raise RuleError(told, remedy=message("one of: {names}", names=", ".join(known))) from None


def ends(found: Criterion, plan: PopulationPlan, window_s: float, timeout_s: float, at: Keys) -> None:
    """Raises ``RuleError`` for a limit on latency that no request can reach: whoever waits that long has given up. A
    user who is to send more often sends late, all the window long, and latency counts from when a request was due.
    """
    often = min(each.pace_s for each in plan.stretches) < timeout_s
    if found.metric in QUANTILE and found.threshold > (timeout_s + window_s * often) * 1000:
        given = {"limit": f"{found.threshold / 1000:g}", "timeout": f"{timeout_s:g}"}
        what = message("a request is given up after {timeout} s, and can break no limit of {limit} s", **given)
        raise RuleError(what, *at, "threshold", remedy="for example `threshold: 500ms`, or a longer `request_timeout`")
