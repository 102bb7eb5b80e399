"""The words that people read for identifiers of ours in the evidence: kinds of events, phases, decisions, how a request
ended. What is a name (a pod, a part, a flag) stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.model.evidence import EventRow, Outcome
from harness.model.message import Message, enumerated, marked, message, verbatim
from harness.model.stack import FAULT, Capability
from harness.model.verdict import Decision

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
    "stack": marked("stack"),
    "admission": marked("sign-in"),
    "probes_admitted": marked("sign-in"),
    "admitted": marked("signed in"),
    "window": marked("window"),
    "part": marked("part"),
    "step": marked("step"),
    "step_done": marked("step done"),
    "judged": marked("judged"),
    "end": marked("end"),
}
OUTCOME = {
    Outcome.UNEXPECTED_4XX: marked("an unexpected 4xx"),
    Outcome.RATE_LIMITED: marked("rate limited"),
    Outcome.SERVER_ERROR: marked("server error"),
    Outcome.TIMEOUT: marked("no answer in time"),
    Outcome.REFUSED: marked("connection refused"),
    Outcome.BROKEN: marked("connection broken off"),
    Outcome.BAD_ANSWER: marked("bad answer"),
    Outcome.FOREIGN_ANSWER: marked("answer about another user's walk"),
}
DECISION: dict[Decision | None, str] = {
    Decision.ADVANCE: marked("Advance"),
    Decision.HOLD: marked("Hold"),
    Decision.ROLL_BACK: marked("Roll back"),
    None: marked("No decision"),
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
    Capability.REAL_PROCESSES: marked("real processes"),
    Capability.REAL_POSTGRESQL: marked("real PostgreSQL"),
    Capability.REAL_KUBERNETES: marked("real Kubernetes"),
    Capability.CPU_LIMITS: marked("enforced CPU and memory limits without scaling"),
    Capability.AUTOSCALING: marked("autoscaling"),
    Capability.EVICTION: marked("eviction under the PDB"),
    Capability.ENDPOINTS_BEFORE_SIGNALS: marked("a pod leaves the Service before it is signalled"),
    Capability.DATABASE_INSTANCES: marked("pods switched to another PostgreSQL instance"),
    Capability.ZONES: marked("zones"),
    Capability.POD_SIGNALS: marked("processes of pods crashed and hung"),
    Capability.NODES: marked("nodes drained by name"),
    Capability.VERSIONS: marked("versions of the target built and deployed"),
    Capability.DOCUMENT_TEMPO: marked("controllers at Kubernetes' own tempo"),
    Capability.EXTERNAL_METRICS: marked("external metrics for the HPA"),
}


def lacking_words(lacking: Iterable[str]) -> Message:
    """What the environment lacks, in words; of a capability that this report does not know yet, its name."""
    known = {str(capability): text for capability, text in CAPABILITY.items()}
    parts = [Message(text=known[each]) if each in known else verbatim(each) for each in lacking]
    return message("the environment lacks {capabilities}", capabilities=enumerated(parts))
