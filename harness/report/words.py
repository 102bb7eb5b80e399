"""The words that the reports use for the enums of the model: one place, so that a translation finds them all.

What a dictionary holds is a message id; functions here are pure and speak the language they are given.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.judge.chance import advances
from harness.judge.words import beside
from harness.model.errors import MEANING, Exit
from harness.model.message import Message, marked, message, verbatim, worded
from harness.model.rollout_run import WeekRun
from harness.model.run import Run, SwitchOver
from harness.model.stack import Capability, Rung
from harness.model.units import Unit
from harness.model.verdict import CheckResult, CriterionKind, CriterionResult, Decision, Verdict
from harness.report.language import Language

DECISION = {
    Decision.ADVANCE: marked("Advance"),
    Decision.HOLD: marked("Hold"),
    Decision.ROLL_BACK: marked("Roll back"),
    None: marked("No decision"),
}

#: A sign beside the word, so that no meaning hangs on colour alone.
DECISION_SIGN = {Decision.ADVANCE: "▶", Decision.HOLD: "■", Decision.ROLL_BACK: "◀", None: "?"}

VERDICT = {
    Verdict.PASS: marked("pass"),
    Verdict.FAIL: marked("fail"),
    Verdict.INCONCLUSIVE: marked("inconclusive"),
    Verdict.NOT_EXERCISED: marked("not exercised"),
    Verdict.ERRATUM_SHOWN: marked("erratum shown"),
}
#: A rollback limit that fired is a verdict of ``fail`` in run.json; people read what happened.
VERDICT_ROLLBACK = {**VERDICT, Verdict.PASS: marked("did not fire"), Verdict.FAIL: marked("fired")}
VERDICT_SIGN = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "~",
    Verdict.NOT_EXERCISED: "–",
    Verdict.ERRATUM_SHOWN: "≠",  # not as written, as the register says
}

KIND = {CriterionKind.SUCCESS: marked("success criterion"), CriterionKind.ROLLBACK: marked("rollback limit")}

METRIC = {
    "error_ratio": marked("error ratio"),
    "availability": marked("availability"),
    "latency_p95": marked("latency p95"),
    "request_rate": marked("requests/s"),
    "concurrent_users": marked("concurrent users"),
}

CHECK = {
    "flag.share": marked("users with the flag on, as planned"),
    "flag.steady": marked("users who changed sides without a change of the template"),
    "dual_write.documents": marked("walks whose Firestore document is missing, left, old, or not as the app reads it"),
    "writes.acknowledged": marked("acknowledged writes that are not in PostgreSQL"),
    "writes.applied_once": marked("rows stored more than once"),
    "reads.acknowledged": marked("answers that lack a write acknowledged before the request"),
    "walks.isolation": marked("walks of another user that were handed out or changed"),
    "walks.statuses": marked("answers with another status than the contract's, other users' walks asked for included"),
    "walks.bodies": marked("answers with another body than the contract's"),
    "pdb.budget": marked("evictions beyond the disruption budget"),
    "service.new_connections": marked("new connections to a pod 2 s after it left the endpoints"),
    "flag.off_in_time": marked("clients still on the API 5 minutes after the flag went off"),
    "storage.photos": marked("walks whose photos are lost, not their own, or left behind"),
}

#: Of a check that holds the week: what could not be looked at was not shown to be well.
_UNPROVED = {Verdict.NOT_EXERCISED: marked("could not be read, which holds the week")}

COMPARISON = {">=": "≥"}

RUNG = {
    Rung.SIM: marked("the bundled API's own code and pure control-plane rules, in virtual time"),
    Rung.LOCAL: marked("real processes: API pods, PostgreSQL, Firebase emulators, Envoy as the service; no Kubernetes"),
    Rung.KIND: marked("a real Kubernetes cluster on this machine (kind)"),
    Rung.KUBE: marked("a Kubernetes cluster of your own"),
}

CAPABILITY = {
    Capability.REAL_PROCESSES: marked("real processes"),
    Capability.REAL_POSTGRESQL: marked("real PostgreSQL"),
    Capability.REAL_KUBERNETES: marked("real Kubernetes"),
    Capability.CPU_LIMITS: marked("enforced CPU and memory limits without scaling"),
    Capability.AUTOSCALING: marked("autoscaling"),
    Capability.EVICTION: marked("eviction under the PDB"),
    Capability.ENDPOINTS_BEFORE_SIGNALS: marked("a pod leaves the Service before it is signalled"),
    Capability.DATABASE_INSTANCES: marked("pods switched to another PostgreSQL instance"),
    Capability.VERSIONS: marked("next versions built and brought where pods start"),
    Capability.ZONES: marked("zones"),
    Capability.POD_SIGNALS: marked("processes of pods crashed and hung"),
    Capability.NODES: marked("nodes drained by name"),
    Capability.LONG_WINDOWS: marked("windows of days"),
    Capability.VERSIONS: marked("versions of the target built and deployed"),
    Capability.DOCUMENT_TEMPO: marked("controllers at Kubernetes' own tempo"),
}

JUDGED = {
    "criterion": marked("criterion"),
    "measurement": marked("measurement"),
    "manifest": marked("manifest"),
    "procedure": marked("procedure"),
    "calculation": marked("calculation"),
    "record": marked("record"),
}

NO_CRITERION = message("no criterion of this scenario judges it")
NO_ROLLBACK = message("the run was not rolled back")
_ROLLBACK_STEPS = "rollout.rollback."
NO_ROWS = marked("the evidence holds no row")

SIDE = {"api": marked("API"), "firestore": marked("Firestore")}

TIMING = {
    "stack_up": marked("stack up after"),
    "admitted": marked("users signed in after"),
    "decision": marked("decision after"),
    "switched_over": marked("back on Firestore after"),
    "tear_down": marked("tear down took"),
}

PHASE = {
    "stack": marked("stack"),
    "admission": marked("sign-in"),
    "window": marked("window"),
    "end": marked("end"),
    "after the window": marked("after the window"),
}


def phase_word(name: str, say: Language) -> str:
    """A phase of the run, or its window; one that this report does not know yet is shown as it is."""
    return say(PHASE[name]) if name in PHASE else name


def verdict_id(criterion: CriterionResult) -> str:
    """The message id of the verdict as people read it: a rollback limit fires or does not."""
    words = VERDICT_ROLLBACK if criterion.kind is CriterionKind.ROLLBACK else VERDICT
    return words[criterion.verdict]


def verdict_word(criterion: CriterionResult, say: Language) -> str:
    """The verdict as people read it."""
    return say(verdict_id(criterion))


def metric_word(metric: str, say: Language) -> str:
    """The metric's name; one that this report does not know yet is shown as it is."""
    return say(METRIC[metric]) if metric in METRIC else metric.replace("_", " ")


def measured(criterion: CriterionResult, value: float | None, say: Language) -> str:
    """The criterion's value or bound with as many digits as tell it from the threshold: never "99.5 %" for 99.4996."""
    if value is None:
        return "–"
    return say.shown(worded(beside(value, criterion.threshold, criterion.unit), criterion.unit))


def check_word(check: CheckResult, say: Language) -> str:
    """What a check looks at; one that this report does not know yet is shown as it is."""
    return say(CHECK[check.id]) if check.id in CHECK else check.id


def check_figures(check: CheckResult, say: Language) -> str:
    """What was seen, and what was planned or is allowed: ``50 % (planned 50 %)``, ``0 (0 allowed)``."""
    seen = say.amount(check.value, check.unit)
    if check.planned is None:
        return seen
    if check.unit is Unit.RATIO:
        return say("{seen} (planned {planned})", seen=seen, planned=say.amount(check.planned, check.unit))
    return say("{seen} ({allowed} allowed)", seen=seen, allowed=f"{check.planned:.0f}")


def threshold_words(criterion: CriterionResult, say: Language) -> str:
    """What the claim says, for example ``> 99.5 %``; for a rollback limit, when it fires."""
    limit = say.amount(criterion.threshold, criterion.unit)
    return f"{COMPARISON.get(criterion.comparison, criterion.comparison)} {limit}"


def rule_words(criterion: CriterionResult, say: Language) -> str:
    """Metric and threshold: "availability > 99.5 %"."""
    return f"{metric_word(criterion.metric, say)} {threshold_words(criterion, say)}"


def reason_words(criterion: CriterionResult | CheckResult, say: Language) -> str:
    """Why the verdict is what it is."""
    return say.told(criterion.told, criterion.reason)


def chance_words(run: Run, criterion: CriterionResult, say: Language) -> str:
    """How often a rollback limit fires by chance alone; "" of a criterion of which that is not known."""
    for each in run.false_roll_backs:
        if each.id == criterion.id:
            return say(
                "By chance alone it fires in {share} of windows of {samples} samples when the true failure ratio is "
                "{ratio}, the most that may still advance.",
                share=say.amount(round(each.probability, 3), Unit.RATIO),
                samples=f"{each.samples:,}",
                ratio=say.amount(each.failure_ratio, Unit.RATIO),
            )
    return ""


def attempt_words(attempt: int, say: Language) -> str:
    """Which try of a week it is, and what so many tries do to the confidence of an advance; "" of the first."""
    if attempt < 2:
        return ""
    return say(
        "attempt {number}; a target that is just at its limit advances in one of {number} tries in up to {share}",
        number=str(attempt),
        share=say.amount(round(advances(attempt), 2), Unit.RATIO),
    )


def decision_reason(run: Run, say: Language) -> str:
    """One sentence on why the decision is what it is."""
    if run.decision is None:
        return say("The run broke before it could be judged.")
    fired = [c for c in run.criteria if c.kind is CriterionKind.ROLLBACK and c.verdict is Verdict.FAIL]
    if run.decision is Decision.ROLL_BACK:
        told = [
            say(
                "{metric} {value}, limit {limit}",
                metric=metric_word(c.metric, say),
                value=measured(c, c.value, say),
                limit=threshold_words(c, say),
            )
            for c in fired
        ]
        if not told:
            return say("The phase was rolled back.")
        return say("A rollback limit fired: {limits}.", limits=say.join(told))
    success = [c for c in run.criteria if c.kind is CriterionKind.SUCCESS]
    passed = sum(c.verdict is Verdict.PASS for c in success)
    if run.decision is Decision.ADVANCE:
        return say("All success criteria passed ({passed} of {passed}); no rollback limit fired.", passed=passed)
    open_ = [c for c in run.criteria if c.verdict is not Verdict.PASS]
    told = [f"{rule_words(c, say)}: {verdict_word(c, say)}" for c in open_]
    unproved = [c for c in run.checks if c.holds and c.verdict is not Verdict.PASS]
    told += [f"{check_word(c, say)}: {say(_UNPROVED.get(c.verdict, VERDICT[c.verdict]))}" for c in unproved]
    return say(
        "{passed} of {all} success criteria passed. {others}.", passed=passed, all=len(success), others=say.join(told)
    )


def not_judged(run: Run | WeekRun, say: Language) -> list[tuple[str, str]]:
    """What the run proves nothing about, and why: criteria not exercised, and claims without a criterion.

    The steps of the roll back (ロールバック手順) are carried out exactly when a run is rolled back.
    """
    found = [(c.id, reason_words(c, say)) for c in run.criteria if c.verdict is Verdict.NOT_EXERCISED]
    judged = {criterion.claim for criterion in run.criteria} | {each for check in run.checks for each in check.claims}
    for claim in run.claims:
        if claim.startswith(_ROLLBACK_STEPS):
            if run.switch_over is None:
                found.append((claim, say.message(NO_ROLLBACK)))
        elif claim not in judged:
            found.append((claim, say.message(NO_CRITERION)))
    return found


def first_line(seed: int, rung: str, replay: str) -> str:
    """The first line of everything a run prints or writes: seed, rung, replay."""
    return f"seed {seed} · environment {rung} · {' '.join(replay.split())}"


def lacking_words(lacking: Iterable[str]) -> Message:
    """What the environment lacks, in words; of a capability that this report does not know yet, its name."""
    known = {str(capability): text for capability, text in CAPABILITY.items()}
    parts = [Message(text=known[each]) if each in known else verbatim(each) for each in lacking]
    listed = parts.pop()
    while parts:
        listed = message("{first}, {rest}", first=parts.pop(), rest=listed)
    return message("the environment lacks {capabilities}", capabilities=listed)


def report_line(folder: str, status: int, say: Language) -> str:
    """The last line of a command: where its report lies, the exit status, and what that means."""
    return say(
        "report: {path} (exit status {status}: {meaning})",
        path=f"{folder}/report.html",
        status=str(status),
        meaning=say(MEANING[Exit(status)]),
    )


def target_words(target: str, say: Language, *, bundled: bool) -> str:
    """The target, and that the bundled one is not the Go backend."""
    return say("{target} (bundled as a reference; not the Go backend)", target=target) if bundled else target


def change_words(change: str, say: Language) -> str:
    """What the rung changed in the manifests, "name: reason": the reason is a message of its own."""
    name, colon, reason = change.partition(": ")
    return f"{name}: {say(reason)}" if colon else change


def timing_words(name: str, say: Language) -> str:
    """A timing's name; one that this report does not know yet is shown as it is."""
    return say(TIMING[name]) if name in TIMING else name


MOST_LATE = 20


def switch_words(switch: SwitchOver, say: Language) -> str:
    """How many clients were back on Firestore, and how soon."""
    counts: dict[str, str | int] = {
        "switched": switch.switched,
        "clients": switch.clients,
        "limit": f"{switch.limit_s:g}",
    }
    if switch.last_s is None:
        return say("{switched} of {clients} clients made their first request on Firestore (limit {limit} s).", **counts)
    return say(
        "{switched} of {clients} clients made their first request on Firestore, the last of them {last} s after the "
        "flag was published off (limit {limit} s).",
        last=f"{switch.last_s:.1f}",
        **counts,
    )


def late_words(switch: SwitchOver, say: Language) -> str:
    """Who was late; "" when nobody was."""
    if not switch.late_users:
        return ""
    named, more = ", ".join(switch.late_users[:MOST_LATE]), len(switch.late_users) - MOST_LATE
    if more > 0:
        return say("Late: {users} and {more} more", users=named, more=more)
    return say("Late: {users}", users=named)
