"""PostgreSQL and Firestore after a run: what differs, and whether an injected outage explains it. Pure.

A mirror write is made once, just after its walk's write (データ同期戦略, Write-Behind): a walk whose last write fell
into an outage of what the mirror needs, or shortly before or after it, may have lost its document's. So may one of a
pod that ended while the manifests were measured as they are and their proxy stopped together with the target: that is
the manifests' loss, and its erratum. Any other difference is the target's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from harness.base.clock import Anchor, utc
from harness.base.ticks import NS
from harness.checks.dual_write import DocumentFlaw, StoreComparison, StoreDifference
from harness.model.evidence import EventRow
from harness.model.message import Told, message
from harness.model.stack import PROXY_FAULTS, FaultKind, PodState

#: A mirror write waits behind others and gives up after some seconds: so far from an outage a write may be lost by it.
SLACK_S = 10.0
#: After a fault, a liveness probe (three tries, ten seconds apart) may still end a container, which may take its grace.
_ENDS_WITHIN_S = 60.0
#: These stop no mirror write: they act in front of the pods, end a pod in order, or stop what the mirror does not use.
_HARMLESS = PROXY_FAULTS | {FaultKind.POD_DELETE}
FIRESTORE, STORAGE = "firestore", "storage"
#: The proxy, an ordinary container, gets SIGTERM together with the target (Deployment, cloud-sql-proxy).
STOPS_AT_ONCE = "manifest.sidecar_stops_at_once"
#: A phase is told with it (``on.phase(..., as_written=True)``) in which manifests of which that is true are measured.
AS_WRITTEN = "as_written"
#: The subject of the event of a schema that the target cannot read: its mirror reads walks too.
SCHEMA = "schema"
_PART_FAULTS = frozenset({FaultKind.PART_HANG, FaultKind.PART_SLOW})
INJECTED, UNDONE = "injected: ", "undone: "


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch in which mirror writes may be lost; ``at`` is when its fault was injected, in UTC, where known.
    ``erratum`` is the document's that made it, where no fault did."""

    from_ns: int
    to_ns: int
    what: str
    at: str = ""
    erratum: str = ""

    @property
    def named(self) -> str:
        """The fault and its time, for people."""
        return f"{self.what} at {self.at}" if self.at else self.what


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """``explained`` are findings with the injected outage that explains them, ``as_written`` those that manifests
    measured as they are lost, by the erratum; ``doubled`` documents of one walk, by name."""

    compared: int
    explained: tuple[tuple[StoreDifference, str], ...]
    as_written: tuple[tuple[StoreDifference, str], ...] = ()
    unexplained: tuple[StoreDifference, ...]
    doubled: tuple[str, ...]
    direct: int

    @property
    def good(self) -> bool:
        """Nothing differs without an injected outage."""
        return not self.unexplained and not self.doubled

    @property
    def wrong(self) -> bool:
        """Whether something differs that no later mirror write would mend."""
        return bool(self.doubled) or any(each.flaw is DocumentFlaw.DIFFERENT for each in self.unexplained)

    @property
    def told(self) -> Told:
        """All counts, for people."""
        every = [finding for finding, _ in (*self.explained, *self.as_written)] + list(self.unexplained)
        told = [
            message(
                "{compared} walks compared with their documents: {missing} missing, {extra} extra, {stale} stale, "
                "{different} different, {doubled} doubled",
                compared=f"{self.compared:,}",
                doubled=f"{len(self.doubled):,}",
                **{flaw.value: str(sum(f.flaw is flaw for f in every)) for flaw in DocumentFlaw},
            )
        ]
        if self.explained:
            outages = ", ".join(sorted({what for _, what in self.explained}))
            count = str(len(self.explained))
            told.append(message("{count} explained by an injected outage ({outages})", count=count, outages=outages))
        told += self.lost_as_written
        if every:
            told.append(message("{count} not explained", count=f"{len(self.unexplained):,}"))
        if self.direct:
            told.append(message("{count} walks were written to Firestore by the app itself", count=f"{self.direct:,}"))
        return tuple(told)

    @property
    def lost_as_written(self) -> Told:
        """What the manifests lost as they are; () when nothing."""
        if not self.as_written:
            return ()
        lost = "{count} lost as pods ended, their proxy stopped together with the target: the manifests as written"
        return (message(lost, count=f"{len(self.as_written):,}"),)


def outages(
    events: Sequence[EventRow], end_ns: int, part: str = FIRESTORE, anchor: Anchor | None = None
) -> tuple[Outage, ...]:
    """Faults from their injection to their undoing (``end_ns`` when that never came), and containers that they ended.

    Of the parts beside the pods only ``part`` counts: the one that a write behind a walk's goes to. ``anchor`` tells
    their times. A container that ended of itself explains nothing: what it lost is the target's own loss.
    Where manifests whose proxy stops at once are measured as they are, a pod's end is an outage of the mirror, too.
    """
    injected = [
        msgspec.structs.replace(each, at=utc(anchor, each.from_ns) if anchor is not None else "")
        for each in stretches(events, end_ns, lambda event: _matters(event, part))
    ]
    found = [*injected, *_ended_by(injected, ended_containers(events))]
    if part == FIRESTORE:
        found += _ended_as_written(events, end_ns)
    return tuple(sorted(found, key=lambda outage: outage.from_ns))


def _ended_by(injected: Sequence[Outage], ended: Iterable[Outage]) -> Iterable[Outage]:
    for each in ended:
        by = [one for one in injected if one.from_ns <= each.from_ns <= one.to_ns + round(_ENDS_WITHIN_S * NS)]
        if by:
            yield msgspec.structs.replace(each, what=f"{by[-1].what}, and a container ended", at=by[-1].at)


def _ended_as_written(events: Iterable[EventRow], end_ns: int) -> Iterable[Outage]:
    """Each pod that began to end in a phase that measures such manifests (``AS_WRITTEN``), until it was gone."""
    measured, ending = False, dict[str, int]()
    for event in sorted(events, key=lambda event: event.at_ns):
        state = event.data.get("state") if event.kind == "pod" else None
        if event.kind == "phase":
            measured = bool(event.data.get(AS_WRITTEN))
        elif state == PodState.TERMINATING and measured:
            ending.setdefault(event.subject, event.at_ns)
        elif state == PodState.GONE and event.subject in ending:
            yield _end_of(ending.pop(event.subject), event.at_ns)
    yield from (_end_of(at_ns, end_ns) for at_ns in ending.values())


def _end_of(from_ns: int, to_ns: int) -> Outage:
    return Outage(from_ns=from_ns, to_ns=to_ns, what="a pod ended", erratum=STOPS_AT_ONCE)


def stretches(events: Iterable[EventRow], end_ns: int, matters: Callable[[EventRow], bool]) -> list[Outage]:
    """The faults that ``matters``, each from its injection to its undoing, or to ``end_ns`` when that never came."""
    begun: defaultdict[str, list[int]] = defaultdict(list)
    found: list[Outage] = []
    for event in sorted(events, key=lambda event: event.at_ns):
        if event.kind != "fault" or not matters(event):
            continue
        if event.message.startswith(INJECTED):
            begun[event.message.removeprefix(INJECTED)].append(event.at_ns)
        elif (what := event.message.removeprefix(UNDONE)) in begun and begun[what]:
            found.append(Outage(from_ns=begun[what].pop(0), to_ns=event.at_ns, what=what))
    return found + [
        Outage(from_ns=at_ns, to_ns=end_ns, what=what) for what, all_ns in begun.items() for at_ns in all_ns
    ]


def ended_containers(events: Iterable[EventRow]) -> list[Outage]:
    """The moments at which a container was told to have ended."""
    found: list[Outage] = []
    restarts: dict[str, int] = {}
    for event in sorted(events, key=lambda event: event.at_ns):
        if event.kind == "pod":
            count = int(event.data.get("restarts", 0))
            if count > restarts.get(event.subject, 0):
                found.append(Outage(from_ns=event.at_ns, to_ns=event.at_ns, what="a container ended"))
            restarts[event.subject] = count
    return found


def reconciled(
    comparison: StoreComparison,
    written_ns: Mapping[str, int],
    outages: Sequence[Outage],
    *,
    names: Iterable[str] = (),
    direct: int = 0,
) -> Reconciled:
    """``written_ns``: when each walk was last written or deleted, by id; one that is not in it has no explanation.

    ``names`` are all document ids there are; ``direct`` counts the walks that the app wrote to Firestore itself.
    """
    explained: list[tuple[StoreDifference, str]] = []
    as_written: list[tuple[StoreDifference, str]] = []
    unexplained: list[StoreDifference] = []
    for finding in comparison.findings:
        at_ns = written_ns.get(finding.walk_id)
        # A document of the last write that says something else was not lost, but written wrong.
        lost = finding.flaw is not DocumentFlaw.DIFFERENT and at_ns is not None
        outage = next((each for each in outages if lost and at_ns is not None and near(each, at_ns)), None)
        if outage is None:
            unexplained.append(finding)
        elif outage.erratum:
            as_written.append((finding, outage.erratum))
        else:
            explained.append((finding, outage.named))
    of_walk: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        of_walk[name.lower()].append(name)
    return Reconciled(
        compared=comparison.compared,
        explained=tuple(explained),
        as_written=tuple(as_written),
        unexplained=tuple(unexplained),
        doubled=tuple(" and ".join(sorted(each)) for _, each in sorted(of_walk.items()) if len(each) > 1),
        direct=direct,
    )


def near(outage: Outage, at_ns: int) -> bool:
    """Whether what followed a write of ``at_ns`` may have been lost by ``outage``."""
    slack_ns = round(SLACK_S * NS)
    return outage.from_ns - slack_ns <= at_ns <= outage.to_ns + slack_ns


def _matters(event: EventRow, part: str) -> bool:
    kind = FaultKind(event.subject) if event.subject in set(FaultKind) else None
    if kind in _PART_FAULTS:
        return part in event.message
    return event.subject == SCHEMA or (kind is not None and kind not in _HARMLESS)
