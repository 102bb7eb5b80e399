"""The words that the reports use for the enums of the model: one place, so that a translation finds them all.

Every string here is a message id; ``_`` in the template (Jinja2's i18n extension) translates it. Functions here are
pure and return the English.
"""

from __future__ import annotations

from harness.judge.words import beside
from harness.model.run import Run
from harness.model.stack import Capability, Rung
from harness.model.units import Unit, show
from harness.model.verdict import CheckResult, CriterionKind, CriterionResult, Decision, Verdict

DECISION = {
    Decision.ADVANCE: "Advance",
    Decision.HOLD: "Hold",
    Decision.ROLL_BACK: "Roll back",
    None: "No decision",
}

#: A sign beside the word, so that no meaning hangs on colour alone.
DECISION_SIGN = {Decision.ADVANCE: "▶", Decision.HOLD: "■", Decision.ROLL_BACK: "◀", None: "?"}

VERDICT = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_EXERCISED: "not exercised",
}
#: A rollback limit that fired is a verdict of ``fail`` in run.json; people read what happened.
VERDICT_ROLLBACK = {**VERDICT, Verdict.PASS: "did not fire", Verdict.FAIL: "fired"}
VERDICT_SIGN = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "~", Verdict.NOT_EXERCISED: "–"}

KIND = {CriterionKind.SUCCESS: "success criterion", CriterionKind.ROLLBACK: "rollback limit"}

METRIC = {
    "error_ratio": "error ratio",
    "availability": "availability",
    "latency_p95": "latency p95",
    "request_rate": "requests/s",
    "concurrent_users": "concurrent users",
}

CHECK = {
    "flag.share": "users with the flag on, as planned",
    "flag.steady": "users who changed sides without a change of the template",
}

COMPARISON = {">=": "≥"}

RUNG = {
    Rung.SIM: "the bundled API's own code and pure control-plane rules, in virtual time",
    Rung.LOCAL: "real processes: API pods, PostgreSQL, Firebase emulators, Envoy as the service; no Kubernetes",
    Rung.KIND: "a real Kubernetes cluster on this machine (kind)",
    Rung.KUBE: "somebody's own Kubernetes cluster",
}

CAPABILITY = {
    Capability.REAL_PROCESSES: "real processes",
    Capability.REAL_POSTGRESQL: "real PostgreSQL",
    Capability.REAL_KUBERNETES: "real Kubernetes",
    Capability.CPU_LIMITS: "CPU and memory limits enforced, unscaled",
    Capability.AUTOSCALING: "autoscaling",
    Capability.EVICTION: "eviction under the PDB",
    Capability.ZONES: "zones",
    Capability.LONG_WINDOWS: "windows of days",
    Capability.DOCUMENT_TEMPO: "controllers at Kubernetes' own tempo",
}

NO_CRITERION = "no criterion of this scenario judges it"
NO_ROLLBACK = "the run was not rolled back"
_ROLLBACK_STEPS = "rollout.rollback."
NO_ROWS = "the evidence holds no row"

SIDE = {"api": "API", "firestore": "Firestore"}

TIMING = {
    "stack_up": "stack up after",
    "admitted": "users admitted after",
    "decision": "decision after",
    "switched_over": "back on Firestore after",
    "tear_down": "tear down took",
}


def verdict_word(criterion: CriterionResult) -> str:
    """The verdict as people read it: a rollback limit fires or does not."""
    words = VERDICT_ROLLBACK if criterion.kind is CriterionKind.ROLLBACK else VERDICT
    return words[criterion.verdict]


def metric_word(metric: str) -> str:
    """The metric's name; one that this report does not know yet is shown as it is."""
    return METRIC.get(metric, metric.replace("_", " "))


def amount(value: float | None, unit: Unit) -> str:
    """``value`` with its unit, or a dash where there was nothing to measure."""
    return "–" if value is None else show(value, unit)


def measured(criterion: CriterionResult, value: float | None) -> str:
    """The criterion's value or bound with as many digits as tell it from the threshold: never "99.5 %" for 99.4996."""
    return "–" if value is None else beside(value, criterion.threshold, criterion.unit)


def check_figures(check: CheckResult) -> str:
    """What was seen and what was planned, for example ``50 % (planned 50 %)``."""
    planned = "" if check.planned is None else f" (planned {show(check.planned, check.unit)})"
    return f"{amount(check.value, check.unit)}{planned}"


def threshold_words(criterion: CriterionResult) -> str:
    """What the claim says, for example ``> 99.5 %``; for a rollback limit, when it fires."""
    return f"{COMPARISON.get(criterion.comparison, criterion.comparison)} {show(criterion.threshold, criterion.unit)}"


def decision_reason(run: Run) -> str:
    """One sentence on why the decision is what it is."""
    if run.decision is None:
        return "The run broke before it could be judged."
    fired = [c for c in run.criteria if c.kind is CriterionKind.ROLLBACK and c.verdict is Verdict.FAIL]
    if run.decision is Decision.ROLL_BACK:
        told = "; ".join(f"{metric_word(c.metric)} {measured(c, c.value)}, limit {threshold_words(c)}" for c in fired)
        return f"A rollback limit fired: {told}." if told else "The phase was rolled back."
    success = [c for c in run.criteria if c.kind is CriterionKind.SUCCESS]
    passed = sum(c.verdict is Verdict.PASS for c in success)
    if run.decision is Decision.ADVANCE:
        return f"All success criteria passed ({passed} of {passed}); no rollback limit fired."
    unproved = [c for c in run.checks if c.verdict is not Verdict.PASS]
    open_ = [c for c in run.criteria if c.verdict is not Verdict.PASS]
    told = "; ".join(f"{metric_word(c.metric)} {threshold_words(c)}: {verdict_word(c)}" for c in open_)
    told = "; ".join([*([told] if told else []), *(f"{CHECK.get(c.id, c.id)}: {VERDICT[c.verdict]}" for c in unproved)])
    return f"{passed} of {len(success)} success criteria passed. {told}."


def not_judged(run: Run) -> list[tuple[str, str]]:
    """What the run proves nothing about, and why: criteria not exercised, and claims without a criterion.

    The steps of the roll back (ロールバック手順) are carried out exactly when a run is rolled back.
    """
    found = [(c.id, c.reason) for c in run.criteria if c.verdict is Verdict.NOT_EXERCISED]
    judged = {criterion.claim for criterion in run.criteria} | {check.claim for check in run.checks}
    for claim in run.claims:
        if claim.startswith(_ROLLBACK_STEPS):
            if run.switch_over is None:
                found.append((claim, NO_ROLLBACK))
        elif claim not in judged:
            found.append((claim, NO_CRITERION))
    return found


def first_line(run: Run) -> str:
    """The first line of everything a run prints or writes: seed, rung, replay."""
    return f"seed {run.seed} · rung {run.rung} · {' '.join(run.replay.split())}"


def target_words(run: Run) -> str:
    """The target, and that the bundled one is not the Go backend."""
    return f"{run.target} (bundled as a reference; not the Go backend)" if run.target_bundled else run.target
