"""The operator's page: pods, autoscalers, logs, and where the reviewed claims stand. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model.message import Message, message
from harness.model.section import Pairs, Row, Section, Table, table_of
from harness.rehearsals.operations.seen.facts import AutoscalerNow, PodNow
from harness.rehearsals.operations.types import OperationsDetails
from harness.report.signoff.types import WORD, ClaimState

_NONE = "–"


def sections(details: OperationsDetails) -> Iterator[Section]:
    """Everything that was seen."""
    observed = details.observed
    if observed is None:
        return
    yield Pairs(pairs=((message("Seen of"), observed.where),))
    yield table_of(
        message("Pods"),
        observed.pods,
        (message("Pod"), lambda pod: pod.name),
        (message("State"), lambda pod: pod.phase if pod.ready else f"{pod.phase} ✗"),
        (message("Restarts"), lambda pod: str(pod.restarts)),
        (message("Processors"), _processors),
        (message("Memory"), _memory),
        (message("Node"), lambda pod: pod.node or _NONE),
        numbers=(2, 3, 4),
    )
    if observed.autoscalers:
        yield table_of(
            message("Autoscalers"),
            observed.autoscalers,
            (message("Autoscaler"), lambda each: each.name),
            (message("Replicas"), lambda each: f"{each.replicas} → {each.wanted} ({each.least}–{each.most})"),
            (message("Metrics, of the target"), _uses),
        )
    yield Table(
        title=message("Lines of logs in a day"),
        heads=(message("Severity"), message("Lines")),
        rows=tuple(
            Row(cells=(severity or message("no structured log"), f"{count:,}"))
            for severity, count in sorted(observed.logs.lines.items())
        ),
        numbers=(1,),
    )
    if details.reviewed:
        yield table_of(
            message("Reviewed"),
            details.reviewed,
            (message("Claim"), lambda each: each.claim),
            (message("Where it stands"), lambda each: Message(text=WORD[ClaimState(each.state)])),
            (message("Age in days"), lambda each: _NONE if each.age_s is None else f"{each.age_s / 86_400:.1f}"),
            (message("By the run"), lambda each: each.folder or _NONE),
            row=lambda each: Row(
                cells=(), lines=each.why if each.state in (ClaimState.FAILED, ClaimState.NOT_SHOWN) else ()
            ),
            numbers=(2,),
        )


def _processors(pod: PodNow) -> str:
    asked = _NONE if pod.asked_cores is None else f"{pod.asked_cores:g}"
    return f"{_NONE if pod.cores is None else f'{pod.cores:.3f}'} / {asked}"


def _memory(pod: PodNow) -> str:
    used, asked = (
        _NONE if each is None else f"{each / 2**20:.0f}" for each in (pod.memory_bytes, pod.asked_memory_bytes)
    )
    return f"{used} / {asked} MiB"


def _uses(each: AutoscalerNow) -> str:
    return ", ".join(
        f"{name} {_NONE if now is None else _amount(now)} / {_amount(most)}" for name, now, most in each.uses
    )


def _amount(amount: int | str) -> str:
    return f"{amount} %" if isinstance(amount, int) else amount
