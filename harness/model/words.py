"""The words that people read for identifiers of ours in the evidence: kinds of events, phases, decisions, how a request
ended. What is a name (a pod, a part, a flag) stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.model.evidence import EventRow, Outcome
from harness.model.judgement import Decision
from harness.model.message import Message, enumerated, gettext_noop, message, raw_text
from harness.model.stack import FAULT, Capability

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
