"""How much of its machine a run had while it measured: the pods, the stores and the load share its processors with
whatever else runs there, and a virtual machine shares them with others.

An observation on every run with evidence from a machine. It gates nothing, for no number of it says whose fault a late
answer was; but a reader of a roll back on a crowded machine must see that it was one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from harness.base.clock import NS
from harness.model.evidence import BUSY, MACHINE, STOLEN, WAITED, ProbeRow, RequestRow, SampleRow, Window
from harness.model.judgement import Judgement, observation
from harness.model.message import message
from harness.rules.summary import together

OBSERVED = "machine.processors"
#: From what share of a window on a machine is crowded by others than the target.
CROWDED_FROM = 0.25


def observed(samples: Sequence[SampleRow], calls: Sequence[RequestRow | ProbeRow]) -> Iterator[Judgement]:
    """The share of the time, from the first call of a user or probe to the last answer, in which something waited for a
    processor, and the worst stretch between two samples. Nothing where the kernel does not count, or nothing was
    called."""
    if not calls:
        return
    first_ns, last_ns = min(call.sent_ns for call in calls), max(call.done_ns for call in calls)
    counted = {name: _between(samples, name, first_ns, last_ns) for name in (WAITED, STOLEN)}
    if len(waited := counted[WAITED]) < 2:
        return
    most, seconds = max((_rate(a, b), (b.at_ns - a.at_ns) / NS) for a, b in pairwise(waited))
    told = [
        message(
            "while it measured, something on this machine waited for a processor {mean} of the time, and {most} of the "
            "worst {seconds} s: the more, the more of what was late or failed may be the machine's",
            mean=f"{_rate(waited[0], waited[-1]):.0%}",
            most=f"{most:.0%}",
            seconds=f"{seconds:.0f}",
        )
    ]
    stolen = counted[STOLEN]
    if len(stolen) > 1 and (gone := stolen[-1].value - stolen[0].value) > 0:
        told.append(message("its host gave {seconds} s of processors to others", seconds=f"{gone:.1f}"))
    yield observation(OBSERVED, tuple(told))


def crowded_share(samples: Mapping[str, Sequence[tuple[int, str, float]]], window: Window) -> float | None:
    """The share (0..1) of ``window`` in which processes outside the target's pods kept processors waiting: the time in
    which something waited, times the part of all used processor time that the pods did not use. ``None`` where the
    kernel does not count. ``samples`` are (at_ns, subject, value) by metric, CPU of a pod in cores."""
    waited, busy = (
        _between([SampleRow(at_ns=at, metric=name, subject=of, value=value) for at, of, value in samples.get(name, ())],
                 name, window.start_ns, window.end_ns)
        for name in (WAITED, BUSY)
    )  # fmt: skip
    if len(waited) < 2 or len(busy) < 2 or (used := _rate(busy[0], busy[-1], most=float("inf"))) <= 0:
        return None
    pods = together(samples.get("cpu_cores", ()), window)
    outside = 1 - min(1.0, (sum(pods) / len(pods) if pods else 0.0) / used)
    return _rate(waited[0], waited[-1]) * outside


def _between(samples: Sequence[SampleRow], metric: str, first_ns: int, last_ns: int) -> list[SampleRow]:
    """The samples of a counter from the last before ``first_ns`` to the first after ``last_ns``, one of each moment."""
    at = {row.at_ns: row for row in samples if row.subject == MACHINE and row.metric == metric}
    every = [at[at_ns] for at_ns in sorted(at)]
    before = [row for row in every if row.at_ns <= first_ns][-1:]
    after = [row for row in every if row.at_ns >= last_ns][:1]
    return [*before, *(row for row in every if first_ns < row.at_ns < last_ns), *after]


def _rate(earlier: SampleRow, later: SampleRow, most: float = 1.0) -> float:
    """Counted seconds a second; of waiting no more than 1, for a kernel's counter lags its clock a little."""
    return min(most, (later.value - earlier.value) / ((later.at_ns - earlier.at_ns) / NS))
