"""What is wrong with a rule of a team's own, by its query, by what is emitted, and by the document. Pure."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.model.message import Message, message, verbatim
from harness.objectives.alerts import Alert, promql_duration
from harness.objectives.foreign.emitted import CLOSED, SCRAPED, Emitted, of_platform, possible
from harness.objectives.foreign.rules import Rule
from harness.objectives.foreign.trees import (
    Compared,
    Matcher,
    Measure,
    Recorded,
    Recording,
    Selector,
    Tree,
    bare,
    beneath,
    chosen,
    compared,
    measure,
    part_of,
    quantile,
    relabelled,
    selectors,
    shares,
    summed_by,
    walk,
    whole_share,
)

_SHOWN_VALUES = 16
_EVENTS = (Measure.PER_SECOND, Measure.COUNT)
_OF_REQUESTS = ("request", "probe")
_P95, _P95_LIMIT_S = 0.95, 0.6


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule is held against: what is emitted, what the folder itself records, how often is scraped, and the
    document's alerts."""

    emitted: Emitted
    recorded: Recorded
    scrape_s: float
    document: Sequence[Alert]

    @property
    def names(self) -> frozenset[str]:
        """What is recorded."""
        return frozenset(each.name for each in self.recorded)

    def labels_of(self, asked: Selector, above: Recorded = ()) -> frozenset[str] | None:
        """Those that its series have; ``None`` of a metric that nobody here knows, or that a recording makes of one.
        ``above`` are the recordings that it was come from."""
        metric = asked.metric
        if metric not in self.names:
            return SCRAPED | frozenset(self.emitted[metric]) if metric in self.emitted else None
        made = [each for each, _ in chosen(asked, self.recorded)]
        found = [self._labels(each, (*above, each)) for each in made if each not in above]
        return frozenset[str]().union(*filter(None, found)) if made and None not in found else None

    def _labels(self, made: Recording, above: Recorded) -> frozenset[str] | None:
        found = [self.labels_of(each, above) for each in selectors(made.tree)]
        if None in found or relabelled(made.tree):
            return None
        return frozenset(made.labels).union(SCRAPED, *filter(None, found))


def faults(rule: Rule, tree: Tree, refused: str, known: Known) -> Iterator[Message]:
    """Each fault of a rule once. ``tree`` is its query as Prometheus parses it, {} where it does not; ``refused`` what
    Prometheus said then, or when it evaluated it."""
    if not rule.records:
        yield from _told(rule)
    if refused:
        yield message("Prometheus refuses it: {error}", error=refused)
    if rule.metric:
        yield from _metric(rule.metric, known)
    if not tree:
        return
    asked = selectors(tree)
    for each in asked:
        yield from _series(each, known)
        if each.range_s and each.range_s < 2 * known.scrape_s:
            window, every = promql_duration(each.range_s), promql_duration(known.scrape_s)
            yield message(
                "a window of {window} holds fewer than two scrapes of {every}: it has no rate",
                window=window,
                every=every,
            )
    yield from _grouped(tree, asked, known)
    yield from _divided(tree)
    yield from _quantiles(tree, known)
    for part in compared(tree):
        yield from _limit(part, known)
        yield from _duration(rule, part, known)


def _told(rule: Rule) -> Iterator[Message]:
    if rule.channels == ():
        yield message("it tells nobody: it has no notification channel")
    if not rule.enabled:
        yield message("it is switched off")


# -- what is asked for -------------------------------------------------------------------------------------------------


def _metric(metric: str, known: Known) -> Iterator[Message]:
    if not metric or metric in known.names or metric in known.emitted or of_platform(metric):
        return
    near = difflib.get_close_matches(metric, [*known.emitted, *known.names], n=1, cutoff=0.8)
    if near:
        yield message("nobody emits the metric {metric}; there is {near}", metric=metric, near=near[0])
    else:
        yield message("nobody emits the metric {metric}", metric=metric)


def _series(asked: Selector, known: Known) -> Iterator[Message]:
    yield from _metric(asked.metric, known)
    if asked.metric in known.names and not any(chosen(asked, known.recorded)):
        matchers = ", ".join(sorted(map(str, asked.matchers)))
        yield message("no series of {metric} has {matcher}", metric=asked.metric, matcher=matchers)
    labels = known.labels_of(asked)
    if labels is None:
        return
    for each in sorted(asked.matchers, key=str):
        if each.label not in labels:
            yield message("no series of {metric} has the label {label}", metric=asked.metric, label=each.label)
        else:
            yield from _values(asked.metric, each, known)


def _values(metric: str, asked: Matcher, known: Known) -> Iterator[Message]:
    """Of a label whose values are all known: whether any of them is meant."""
    if asked.label not in CLOSED or asked.op not in ("=", "=~"):
        return
    values = possible(asked.label, known.emitted.get(metric, {}).get(asked.label, ()))
    if not values or any(map(asked.allows, values)):
        return
    said = {"metric": metric, "matcher": str(asked)}
    if len(values) > _SHOWN_VALUES:
        yield message("no series of {metric} has {matcher}", **said)
    else:
        yield message("no series of {metric} has {matcher}: there are {values}", values=", ".join(values), **said)


def _grouped(tree: Tree, asked: Sequence[Selector], known: Known) -> Iterator[Message]:
    """Labels to sum by that nothing beneath has."""
    labels = [known.labels_of(each) for each in asked]
    if None in labels or not labels or relabelled(tree):
        return
    there = frozenset[str]().union(*(each for each in labels if each is not None))
    by = {
        label
        for each in walk(tree)
        if each["type"] == "aggregation" and not each.get("without")
        for label in each.get("grouping", ())
    }
    for label in sorted(by - there - {"le"}):  # of buckets that are none it is told
        yield message("it is summed by the label {label}, which no series has", label=label)


# -- what is compared --------------------------------------------------------------------------------------------------


def _divided(tree: Tree) -> Iterator[Message]:
    """Divisions of events by events that are no share of them."""
    for each in shares(tree):
        part, whole = each["lhs"], each["rhs"]
        parts, wholes = selectors(part), selectors(whole)
        windows = [sorted({one.range_s for one in side}) for side in (parts, wholes)]
        if windows[0] != windows[1]:
            sides = [", ".join(promql_duration(one) for one in side) for side in windows]
            yield message(
                "a rate that is no ratio: one side is of {part}, the other of {whole}", part=sides[0], whole=sides[1]
            )
        for one in parts:
            if {part_of(one, other) for other in wholes} == {False}:
                yield message(
                    "a rate that is no ratio: what is divided, {part}, is no part of what it is divided by",
                    part=_shown(one),
                )
        matching = each.get("matching") or {}
        if not matching.get("on") and not matching.get("labels"):
            yield from _matched(part, whole, parts, wholes)


def _matched(part: Tree, whole: Tree, parts: Sequence[Selector], wholes: Sequence[Selector]) -> Iterator[Message]:
    """Sides whose series do not meet, or each only itself."""
    by = summed_by(part), summed_by(whole)
    if None not in by and by[0] != by[1]:
        sides = [", ".join(each or ()) or "–" for each in by]
        yield message(
            "it never matches: one side is summed by {part}, the other by {whole}", part=sides[0], whole=sides[1]
        )
    if "aggregation" in {each["type"] for side in (part, whole) for each in walk(side)}:
        return
    if parts and wholes and parts[0].metric == wholes[0].metric:
        yield message("a rate that is no ratio: each series is divided by itself, which is 1; sum both sides first")


def _quantiles(tree: Tree, known: Known) -> Iterator[Message]:
    """Quantiles of what has no buckets."""
    for each in walk(tree):
        if each["type"] != "call" or each["func"]["name"] != "histogram_quantile":
            continue
        inner = bare(each["args"][1])
        for asked in selectors(inner):
            if asked.metric not in known.names and not asked.metric.endswith("_bucket"):
                yield message("no quantile: {metric} has no buckets", metric=asked.metric)
        if inner["type"] == "aggregation" and ("le" in inner.get("grouping", ())) == inner.get("without", False):
            yield message("no quantile: its buckets are summed without the label {label}", label="le")


def _limit(part: Compared, known: Known) -> Iterator[Message]:
    """Limits that are no limit of what is compared."""
    measured = measure(part.part, known.recorded)
    requests = any(word in each.metric for each in beneath(part.part, known.recorded) for word in _OF_REQUESTS)
    if measured in _EVENTS and requests and 0 < part.limit < 1:
        yield message(
            "a rate that is no ratio: its limit is {limit} events, not a share of all; divide by the rate of all",
            limit=f"{part.limit:g}",
        )
    if measured is Measure.SHARE and part.above and part.limit >= 1 and whole_share(part.part):
        yield message("it never fires: a share is at most 1, and its limit is {limit}", limit=f"{part.limit:g}")
    if measured is Measure.SECONDS and part.above:
        highest = max((_highest(each.metric, known) for each in selectors(part.part)), default=0.0)
        if 0 < highest <= part.limit:
            yield message(
                "it never fires: a quantile is at most the highest finite bucket, {highest} s; its limit is {limit}",
                highest=f"{highest:g}",
                limit=f"{part.limit:g}",
            )


def _highest(metric: str, known: Known) -> float:
    """The highest finite bucket of a histogram (s); 0 where it is not known."""
    bounds = map(float, known.emitted.get(metric, {}).get("le", ()))
    return max((each for each in bounds if math.isfinite(each)), default=0.0)


def of_document(part: Compared, document: Iterable[Alert], recorded: Recorded) -> Alert | None:
    """The document's alert that compares the same: its p95 with 0.6 s, its failed share with 3 %."""
    measured = measure(part.part, recorded)
    windows_s = {each.range_s for each in selectors(part.part)}
    for alert in document:
        if alert.name == "LatencyP95Above600ms":
            same = quantile(part.part) == _P95 and part.above and math.isclose(part.limit, _P95_LIMIT_S)
        else:
            limit = part.limit if part.above else 1 - part.limit
            same = measured is Measure.SHARE and math.isclose(limit, alert.limit, rel_tol=1e-9)
            same &= not alert.objective or windows_s == {alert.window_s}
        if same:
            return alert
    return None


def _duration(rule: Rule, part: Compared, known: Known) -> Iterator[Message]:
    alert = of_document(part, known.document, known.recorded)
    if alert is not None and rule.for_s != alert.for_s:
        yield message(
            "it must hold for {held}, and the document says {document}: {quotation}",
            held=promql_duration(rule.for_s),
            document=promql_duration(alert.for_s),
            quotation=alert.quotation,
        )


def _shown(asked: Selector) -> Message:
    return verbatim(f"{asked.metric}{{{','.join(sorted(map(str, asked.matchers)))}}}")
