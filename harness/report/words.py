"""The words that the reports use for the enums of the model: one place, so that a translation finds them all.

What a dictionary holds is a message id; functions here are pure and speak the language they are given.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.manifests import FIXED_HERE, NOT_READABLE, STILL_THERE
from harness.model.message import Message, gettext_noop, message, worded
from harness.model.stack import EnvironmentKind
from harness.report.language import Language
from harness.rules.sentences import beside

#: A sign beside the word, so that no meaning hangs on colour alone.
DECISION_SIGN = {Decision.ADVANCE: "▶", Decision.HOLD: "■", Decision.ROLL_BACK: "◀", None: "?"}

#: What is asked of somebody whose evidence cannot be told from that of another program.
ASK = gettext_noop("list what makes up the program in the target file, program: [PATH, ...], or pull its image")
VERDICT = {
    Verdict.PASS: gettext_noop("pass"),
    Verdict.FAIL: gettext_noop("fail"),
    Verdict.INCONCLUSIVE: gettext_noop("inconclusive"),
    Verdict.NOT_EXERCISED: gettext_noop("not exercised"),
    Verdict.ERRATUM_SHOWN: gettext_noop("erratum shown"),
}
#: A rollback limit that fired is a verdict of ``fail`` in result.json; people read what happened.
VERDICT_ROLLBACK = {**VERDICT, Verdict.PASS: gettext_noop("did not fire"), Verdict.FAIL: gettext_noop("fired")}
#: What was merely seen passes nothing.
VERDICT_OBSERVED = {**VERDICT, Verdict.PASS: gettext_noop("observed")}
DIFFERS = gettext_noop("differs")  # of manifests, from what the document prints: not wrong for that
VERDICT_SIGN = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "~",
    Verdict.NOT_EXERCISED: "–",
    Verdict.ERRATUM_SHOWN: "≠",  # not as written, as the register says
}
OBSERVED_SIGN = "·"

KIND = {
    Kind.CRITERION: gettext_noop("criterion"),
    Kind.ROLLBACK_LIMIT: gettext_noop("rollback limit"),
    Kind.CHECK: gettext_noop("check"),
    Kind.OBSERVATION: gettext_noop("observation"),
}
#: Of a run that decides on the rollout.
SUCCESS_CRITERION = gettext_noop("success criterion")

#: Of a check that holds a week: what could not be looked at was not shown to be well.
UNPROVED = {Verdict.NOT_EXERCISED: gettext_noop("could not be read, which holds the week")}

RUNG = {
    EnvironmentKind.SIM: gettext_noop(
        "simulated: users, stores, network, time; real: bundled API's code; no evidence for a sign-off"
    ),
    EnvironmentKind.LOCAL: gettext_noop(
        "real: API processes, PostgreSQL; simulated: users, Firebase, Kubernetes, of which it shows nothing"
    ),
    EnvironmentKind.KIND: gettext_noop(
        "real: Kubernetes (kind), PostgreSQL; simulated: users, Firebase (emulators), Cloud SQL"
    ),
    EnvironmentKind.KUBE: gettext_noop(
        "real: a cluster of your own, PostgreSQL; simulated: users, Firebase (emulators), Cloud SQL"
    ),
    EnvironmentKind.REAL: gettext_noop("real: users and everything else, as telemetry tells of it; simulated: nothing"),
}

TIMING = {
    "stack_up": gettext_noop("stack up after"),
    "brought_up": gettext_noop("bringing the stack up took"),
    "probes_ask": gettext_noop("of which the probes' own delays and periods ask for"),
    "admitted": gettext_noop("users signed in after"),
    "load_ended": gettext_noop("load ended after"),
    "checked": gettext_noop("stores checked after"),
    "checks": gettext_noop("contract checked after"),
    "decision": gettext_noop("decision after"),
    "switched_over": gettext_noop("back on Firestore after"),
    "experiments": gettext_noop("experiments made after"),
    "moved": gettext_noop("walks moved after"),
    "compared": gettext_noop("both stores compared after"),
    "watched": gettext_noop("alerts watched after"),
    "schedules": gettext_noop("schedules made after"),
    "stages": gettext_noop("load stages made after"),
    "knees": gettext_noop("knees found after"),
    "before": gettext_noop("paths without policies tried after"),
    "after": gettext_noop("paths with policies tried after"),
    "replaced": gettext_noop("paths of new pods tried after"),
    "ingress": gettext_noop("Ingress tried after"),
    "tear_down": gettext_noop("tear down took"),
}

_NOT_HONOURED = "not honoured"  # as ``rehearsal.facts`` begins such a line
#: An erratum of the document in a folder of somebody's own.
STATE = {
    STILL_THERE: gettext_noop("still there"),
    FIXED_HERE: gettext_noop("fixed here"),
    NOT_READABLE: gettext_noop("not to be read from manifests"),
}

#: What stands in the place of a part of production wherever there are processes or containers.
STAND_INS = (
    gettext_noop("Auth: Firebase's own emulator, of firebase-tools; its tokens are unsigned"),
    gettext_noop("Firestore: a third party's emulator, npm's @firestore-emulator/server, not Google's"),
    gettext_noop(
        "Storage: a third party's emulator, PyPI's gcp-storage-emulator; Cloud Storage's API, not Firebase's own"
    ),
    gettext_noop("Remote Config: the rehearsal's own emulator"),
    gettext_noop("Cloud SQL for PostgreSQL 15: one PostgreSQL of that version on this machine, and a TCP proxy a pod"),
)
#: The same where all of it is simulated.
SIMULATED = (
    gettext_noop("Time: virtual; it jumps to whatever is due next, and every run begins on 2025-10-20"),
    gettext_noop(
        "PostgreSQL, Firestore, Auth, Storage and Remote Config: the memory of one process, which never fails"
    ),
    gettext_noop(
        "Network, Service and pods: calls that wait as the seed says; no Kubernetes, no limit of CPU or memory"
    ),
)


def verdict_id(judgement: Judgement) -> str:
    """The message id of the verdict as people read it: a rollback limit fires or does not; what was merely seen is
    observed."""
    known = {Kind.ROLLBACK_LIMIT: VERDICT_ROLLBACK, Kind.OBSERVATION: VERDICT_OBSERVED}
    return DIFFERS if judgement.differs else known.get(judgement.kind, VERDICT)[judgement.verdict]


def anchor(judgement: Judgement) -> str:
    """Where a judgement stands on its run's page, which other pages lead to."""
    return "-".join(filter(None, ("judgement", judgement.part, judgement.id)))


def sign(judgement: Judgement) -> str:
    """The sign beside the verdict."""
    return OBSERVED_SIGN if is_observed(judgement) or judgement.differs else VERDICT_SIGN[judgement.verdict]


def is_observed(judgement: Judgement) -> bool:
    """Whether it was merely seen: nothing passed or failed."""
    return judgement.kind is Kind.OBSERVATION and judgement.verdict is Verdict.PASS


def differing(judgements: Iterable[Judgement]) -> Message | None:
    """All that the applied manifests have otherwise than the document prints, in one line; ``None`` of nothing."""
    names = ", ".join(each.id for each in judgements if each.differs)
    return message("the manifests differ from what the document prints: {names}", names=names) if names else None


def kind_id(judgement: Judgement, *, decides: bool) -> str:
    """The message id of the judgement's kind. ``decides``: the run is a week of the rollout."""
    return SUCCESS_CRITERION if decides and judgement.kind is Kind.CRITERION else KIND[judgement.kind]


def asked_words(judgement: Judgement, say: Language) -> str:
    """What was asked; the judgement's id where nobody says it in words."""
    return say.told(judgement.asked, judgement.id)


def named(judgement: Judgement, say: Language) -> str:
    """What was asked, where limits and criteria stand together: a rollback limit says that it is one."""
    asked = asked_words(judgement, say)
    return say("rollback limit {limit}", limit=asked) if judgement.kind is Kind.ROLLBACK_LIMIT else asked


def figure(judgement: Judgement, value: float | None, say: Language) -> str:
    """The value or the bound with as many digits as tell it from the limit: never "99.5 %" for 99.4996; the limit
    itself as it was written; a dash where there was nothing to measure."""
    if value is None or judgement.limit is None:
        return say.amount(value, judgement.unit)
    return say.shown(worded(beside(value, judgement.limit, judgement.unit), judgement.unit))


def measured(judgement: Judgement, say: Language) -> str:
    """What was measured: the value, and what is said where no single number carries it; a dash of neither."""
    shown = [] if judgement.value is None else [figure(judgement, judgement.value, say)]
    shown += [say.told(judgement.shown, "")] if judgement.shown else []
    return say.join(shown) or "–"


def first_line(seed: int, rung: str, replay: str, say: Language) -> str:
    """The first line of everything a run writes: seed, rung, replay."""
    shown = " ".join(replay.split())
    return say("seed {seed} · environment {environment} · {replay}", seed=str(seed), environment=rung, replay=shown)


def change_words(change: str, say: Language) -> str:
    """What was changed in the manifests, "name: reason": the reason is a message of its own; what is not honoured is
    named by more words with colons."""
    name, colon, reason = change.partition(": ")
    if not colon:
        return change
    if name == _NOT_HONOURED:
        where, colon, reason = reason.rpartition(": ")
        return say("not honoured: {what}", what=f"{where}{colon}{say(reason)}")
    return f"{name}: {say(reason)}"
