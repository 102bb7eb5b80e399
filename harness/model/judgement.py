"""A judgement: the one shape of "a claim and what became of it", for every rehearsal and every check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from harness.base.units import Unit
from harness.model.evidence import EventRow, Outcome
from harness.model.message import Message, Told, english, enumerated, gettext_noop, message, raw_text
from harness.model.stack import FAULT, Capability

# Verdicts and decisions: what the judge answers, and what ``result.json`` publishes.


class Verdict(StrEnum):
    """Of a criterion. For a rollback limit ``FAIL`` means it fired, ``PASS`` that it had its sample and did not."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_EXERCISED = "not_exercised"
    ERRATUM_SHOWN = "erratum_shown"  # not kept as written, just as the register of claims says: no failure

    @property
    def good(self) -> bool:
        """Whether it lets a command end in 0: kept, or wrong in the way that the register says."""
        return self in (Verdict.PASS, Verdict.ERRATUM_SHOWN)


class FalseRollBack(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rollback limit fires by chance alone: in ``probability`` (0..1) of windows of ``samples`` answers,
    each of which fails with ``failure_ratio``, the worst that the success criterion of the same metric lets advance.
    """

    id: str  # the criterion's
    failure_ratio: float
    samples: int
    probability: float


class Decision(StrEnum):
    """Of a phase."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


class Kind(StrEnum):
    """What is judged.

    A ``ROLLBACK_LIMIT`` that fails has fired, and ends a week at once. A ``CHECK`` is looked at beside whatever is
    rehearsed: one that passes is no sign that anything was exercised. An ``OBSERVATION`` is told and never gates.
    """

    CRITERION = "criterion"
    ROLLBACK_LIMIT = "rollback_limit"
    CHECK = "check"
    OBSERVATION = "observation"


class Judgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing judged. ``id`` is unique together with ``part``, the part of the plan that it was judged in ("" for
    the whole run).

    ``claim`` is the register's id ("" where the register has none), ``also`` are further claims that it is the verdict
    on. ``asked`` says what is promised, ``told`` why the verdict is what it is: never (). ``value``, ``bound`` (95 %)
    and ``limit`` are in ``unit``, ``None`` where there was nothing to measure; ``shown`` says what was measured where
    no single number carries it. ``gates``: whether it can keep the run from its success. ``erratum`` is the one of the
    document that was seen, ``seen`` what was seen of it where that is not the reason. ``notes`` stand beside the
    reason; ``reproduce`` is a query or a command that shows the same. ``seconds`` is how long it took, ``fired_at_ns``
    when a rollback limit fired (monotonic). ``differs``: manifests have another thing than the document prints, which
    holds nothing; all such are told together, by that word.
    """

    id: str
    verdict: Verdict
    told: Told
    kind: Kind = Kind.CRITERION
    part: str = ""
    claim: str = ""
    also: tuple[str, ...] = ()
    asked: Told = ()
    value: float | None = None
    bound: float | None = None
    limit: float | None = None
    unit: Unit = Unit.NONE
    samples: int = 0
    shown: Told = ()
    gates: bool = True
    erratum: str = ""
    seen: Told = ()
    examples: tuple[str | Message, ...] = ()
    notes: Told = ()
    reproduce: str = ""
    seconds: float = 0.0
    fired_at_ns: int | None = None
    differs: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a verdict without a reason, and for an erratum shown that names none."""
        if not self.told:
            raise ValueError(f"{self.id}: a verdict without a reason")
        if self.verdict is Verdict.ERRATUM_SHOWN and not self.erratum:
            raise ValueError(f"{self.id}: an erratum is shown, and none is named")
        if self.kind is Kind.OBSERVATION and self.gates:
            raise ValueError(f"{self.id}: an observation cannot gate")

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other of its run: the part and the id."""
        return self.part, self.id

    @property
    def reason(self) -> str:
        """Why, as one English sentence."""
        return english(self.told)

    @property
    def claims(self) -> tuple[str, ...]:
        """All claims that it is the verdict on."""
        return ((self.claim,) if self.claim else ()) + self.also

    @property
    def holds(self) -> bool:
        """Whether it keeps the run from its success: it gates, and is not good. What an environment cannot show does
        not gate, except in a week, which nothing unproved may advance."""
        return self.gates and not self.verdict.good

    @property
    def exercised(self) -> bool:
        """Whether it shows that what is rehearsed was exercised: a criterion that gates, and was judged."""
        return self.gates and self.kind is Kind.CRITERION and self.verdict is not Verdict.NOT_EXERCISED

    @property
    def fired(self) -> bool:
        """Whether it is a rollback limit that fired."""
        return self.kind is Kind.ROLLBACK_LIMIT and self.gates and self.verdict is Verdict.FAIL


def observation(
    id_: str, told: Told, *, verdict: Verdict = Verdict.PASS, erratum: str = "", part: str = ""
) -> Judgement:
    """Something seen that gates nothing; with an ``erratum`` it is that erratum, shown."""
    shown = Verdict.ERRATUM_SHOWN if erratum else verdict
    return Judgement(id=id_, verdict=shown, told=told, kind=Kind.OBSERVATION, gates=False, erratum=erratum, part=part)


def errata_of(judgements: Iterable[Judgement]) -> dict[str, Told]:
    """Each erratum that was seen, by its id in order, with the first that was seen of it."""
    found: dict[str, Told] = {}
    for each in judgements:
        if each.erratum:
            found.setdefault(each.erratum, each.seen or each.told)
    return dict(sorted(found.items()))


# The judgements that a plan asks for.


class Expected(NamedTuple):
    """A judgement that a plan asks for, by its ``part`` and ``id``. One whose id is its ``claim`` is there when any
    judgement of the part is about the claim. It must rest on ``least`` samples at least."""

    part: str
    id: str
    claim: str = ""
    least: int = 0
    kind: Kind = Kind.CRITERION


def expected_of(
    claims: Iterable[tuple[str, str]], *, part: str = "", kind: Kind = Kind.CRITERION, least: int = 0
) -> list[Expected]:
    """Each id of a table with its claim, in one part."""
    return [Expected(part, id_, claim, least, kind) for id_, claim in claims]


# The words that people read for identifiers of ours in the evidence: kinds of events, phases, decisions, how a request
# ended. What is a name (a pod, a part, a flag) stays one.

#: Kinds of events.
KIND = {
    "autoscaler": message("autoscaler"),
    "check": message("check"),
    "component": message("component"),
    "decision": message("decision"),
    "deployment": message("deployment"),
    "eviction": message("eviction"),
    "failover": message("failover"),
    "fault": message("fault"),
    "flag": message("flag"),
    "kubernetes": message("Kubernetes event"),
    "log": message("log"),
    "log_line": message("log line"),
    "measurement_error": message("measurement error"),
    "node": message("node"),
    "phase": message("phase"),
    "pod": message("pod"),
    "storage": message("storage"),
}
PHASES = {
    "stack": gettext_noop("stack"),
    "admission": gettext_noop("sign-in"),
    "probes_admitted": gettext_noop("sign-in"),
    "admitted": gettext_noop("signed in"),
    "window": gettext_noop("window"),
    "part": gettext_noop("part"),
    "step": gettext_noop("step"),
    "step_done": gettext_noop("step done"),
    "judged": gettext_noop("judged"),
    "end": gettext_noop("end"),
}
OUTCOME = {
    Outcome.UNEXPECTED_4XX: gettext_noop("an unexpected 4xx"),
    Outcome.RATE_LIMITED: gettext_noop("rate limited"),
    Outcome.SERVER_ERROR: gettext_noop("server error"),
    Outcome.TIMEOUT: gettext_noop("no answer in time"),
    Outcome.REFUSED: gettext_noop("connection refused"),
    Outcome.BROKEN: gettext_noop("connection broken off"),
    Outcome.BAD_ANSWER: gettext_noop("bad answer"),
    Outcome.FOREIGN_ANSWER: gettext_noop("answer about another user's walk"),
}
DECISION: dict[Decision | None, str] = {
    Decision.ADVANCE: gettext_noop("Advance"),
    Decision.HOLD: gettext_noop("Hold"),
    Decision.ROLL_BACK: gettext_noop("Roll back"),
    None: gettext_noop("No decision"),
}
_SUBJECTS: Mapping[str, Mapping[Any, str]] = {"phase": PHASES, "decision": DECISION, "fault": FAULT}


def subject_of(row: EventRow) -> str | Message:
    """What the event is about; a name, or what nobody has a word for, as it is."""
    word = _SUBJECTS.get(row.kind, {}).get(row.subject)
    return row.subject if word is None else Message(text=word)


def outcome_word(outcome: Outcome) -> Message:
    """How a request that failed ended."""
    return Message(text=OUTCOME[outcome])


CAPABILITY = {
    Capability.REAL_PROCESSES: gettext_noop("real processes"),
    Capability.REAL_POSTGRESQL: gettext_noop("real PostgreSQL"),
    Capability.REAL_KUBERNETES: gettext_noop("real Kubernetes"),
    Capability.CPU_LIMITS: gettext_noop("enforced CPU and memory limits without scaling"),
    Capability.AUTOSCALING: gettext_noop("autoscaling"),
    Capability.EVICTION: gettext_noop("eviction under the PDB"),
    Capability.ENDPOINTS_BEFORE_SIGNALS: gettext_noop("a pod leaves the Service before it is signalled"),
    Capability.DATABASE_INSTANCES: gettext_noop("pods switched to another PostgreSQL instance"),
    Capability.ZONES: gettext_noop("zones"),
    Capability.POD_SIGNALS: gettext_noop("processes of pods crashed and hung"),
    Capability.NODES: gettext_noop("nodes of its own"),
    Capability.VERSIONS: gettext_noop("versions of the target built and deployed"),
    Capability.DOCUMENT_TEMPO: gettext_noop("controllers at Kubernetes' own tempo"),
    Capability.EXTERNAL_METRICS: gettext_noop("external metrics for the HPA"),
}


def lacking_words(lacking: Iterable[str]) -> Message:
    """What the environment lacks, in words; of a capability that this report does not know yet, its name."""
    known = {str(capability): text for capability, text in CAPABILITY.items()}
    parts = [Message(text=known[each]) if each in known else raw_text(each) for each in lacking]
    return message("the environment lacks {capabilities}", capabilities=enumerated(parts))
