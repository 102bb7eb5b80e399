"""Claims of 監視・ロギング: indicators, objectives, alerts, logs, commands."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import CALCULATION, MEASUREMENT, PROCEDURE, judged_by, promise, wrong

_SLI = "Cloud Monitoring/list 1"
_SLO = "SLO定義/table 1"
_ALERT = "SLO定義/list 1"
_ROUTE = "SLO定義/list 2"
_COMMANDS = "kubectl監視コマンド/code 1"

_INDICATORS = (
    promise(
        "sli.latency",
        f"{_SLI}/item 1",
        "p50, p95, p99",
        MEASUREMENT,
        judged_by("rollout"),
        "Every window carries the three",
    ),
    promise(
        "sli.errors",
        f"{_SLI}/item 2",
        "エラー率: 4xx, 5xx",
        MEASUREMENT,
        judged_by("rollout"),
        "4xx and 5xx apart; the error ratio counts 5xx, timeouts, broken connections, 429 and unexpected 4xx",
        wrong(
            "sli.error_ratio_undefined",
            "whether a 4xx is an error is not said: a client's 404 would burn the budget, a 429 would not",
            "define it: 5xx, timeouts, refused and broken connections, 429, unexpected 4xx over all requests",
        ),
    ),
    promise(
        "sli.request_rate",
        f"{_SLI}/item 3",
        "QPS",
        MEASUREMENT,
        judged_by("rollout"),
        "Completed requests over the window",
    ),
    promise(
        "sli.pod_resources",
        f"{_SLI}/item 4",
        "Pod CPU/メモリ使用率",
        MEASUREMENT,
        judged_by("rollout"),
        "Sampled for each pod: the highest share that one used of the CPU and of the memory it asks for",
    ),
    promise(
        "sli.replicas",
        f"{_SLI}/item 5",
        "レプリカ数",
        MEASUREMENT,
        judged_by("rollout"),
        "Sampled; drawn on the timeline",
    ),
)

_OBJECTIVES = (
    promise(
        "slo.availability",
        f"{_SLO}/row 1",
        "99.9%",
        MEASUREMENT,
        judged_by("rollout"),
        "Probes of week 4's window, and how fast it burns the budget: minutes break it, only 30 days keep it",
    ),
    promise(
        "slo.availability.budget",
        f"{_SLO}/row 1",
        "43分/月",
        CALCULATION,
        judged_by("alert_drill", unmeasured="--scale"),
        "30 d x 24 h x 60 min x 0.1 % = 43.2 min: right for 30 days (44.6 in a month of 31)",
    ),
    promise(
        "slo.latency_p95",
        f"{_SLO}/row 2",
        "< 500ms",
        MEASUREMENT,
        judged_by("rollout"),
        "Requests of users in week 4's window, and how fast it burns the budget: minutes break it, only 7 days keep it",
        go=True,
    ),
    promise(
        "slo.latency_p95.budget",
        f"{_SLO}/row 2",
        "5%のリクエストが500ms超過可",
        CALCULATION,
        judged_by("alert_drill", unmeasured="--scale"),
        "The same statement as p95 < 500 ms",
    ),
    promise(
        "slo.error_ratio",
        f"{_SLO}/row 3",
        "< 1%",
        MEASUREMENT,
        judged_by("rollout"),
        "Requests of users in week 4's window, and how fast it burns the budget: minutes break it, only 7 days keep it",
    ),
    promise(
        "slo.error_ratio.budget",
        f"{_SLO}/row 3",
        "1%のリクエストがエラー可",
        CALCULATION,
        judged_by("alert_drill", unmeasured="--scale"),
        "Recomputed: what the objective's target leaves of the requests of its 7 days",
        wrong(
            "slo.two_budgets_disagree",
            "1 % of requests may fail, yet availability allows 0.1 %: were a failed request counted in both, the "
            "second budget is gone at a tenth of the first",
            "say that availability is measured by probes and errors by users' requests",
        ),
    ),
)

_ALERTS = (
    promise(
        "alert.availability",
        f"{_ALERT}/item 1",
        "可用性 < 99.5%",
        MEASUREMENT,
        judged_by("alert_drill", unmeasured="--scale"),
        "alert_drill: fires by our own arithmetic to the evaluation, quiet, resolves, reaches Slack and mail",
        wrong(
            "alert.availability_no_window",
            "no window: over 30 days 99.5 % fires after 3.6 h of outage, long past the budget of 43 minutes; over "
            "one minute every blip fires",
            "alert on burn rate: 14.4x over 1 h, 6x over 6 h of the 99.9 % budget",
        ),
    ),
    promise(
        "alert.latency_p95",
        f"{_ALERT}/item 2",
        "p95レイテンシ > 600ms （10分継続）",
        MEASUREMENT,
        judged_by("alert_drill"),
        "alert_drill: after 10 minutes, not before (in real time by night; else scaled)",
        wrong(
            "alert.gap_to_objective",
            "p95 between 500 and 600 ms, or errors between 1 and 3 %, break the objective without any alert",
            "alert at the objective (500 ms, 1 %) as a warning; keep 600 ms and 3 % as critical",
        ),
    ),
    promise(
        "alert.error_ratio",
        f"{_ALERT}/item 3",
        "エラー率 > 3% （5分継続）",
        MEASUREMENT,
        judged_by("alert_drill"),
        "alert_drill: after 5 minutes, not before (in real time by night; else scaled); gap: alert.gap_to_objective",
        wrong(
            "alert.pagerduty_phase4",
            "the alert goes to PagerDuty in Phase 2, the route list has PagerDuty in Phase 4: in between nobody "
            "is paged",
            "name a Phase 2 route for the critical alert, or bring PagerDuty forward",
        ),
        wrong(
            "alert.error_ratio_blind",
            "measured by the API's own counters the ratio stands still when nothing reaches the API: an outage in "
            "front of the pods, when every request fails, fires nothing",
            "alert on probes from outside as well, by the burn rate of the availability",
        ),
    ),
    promise(
        "alert.error_budget",
        f"{_ALERT}/item 4",
        "Error Budget消費率 > 80%",
        MEASUREMENT,
        judged_by("alert_drill", unmeasured="--scale"),
        "alert_drill: at 80 % of each window's budget, over made days",
    ),
    promise(
        "alert.route.slack",
        f"{_ROUTE}/item 1",
        "#tekutoko-alerts",
        MEASUREMENT,
        judged_by("alert_drill", unmeasured="--scale"),
        "Delivered to a local receiver that speaks its protocol",
    ),
    promise(
        "alert.route.email",
        f"{_ROUTE}/item 2",
        "チームメーリングリスト",
        MEASUREMENT,
        judged_by("alert_drill", unmeasured="--scale"),
        "Delivered to a local receiver that speaks its protocol",
    ),
    promise(
        "alert.route.pagerduty",
        f"{_ROUTE}/item 3",
        "クリティカルアラートのみ（Phase4）",
        MEASUREMENT,
        judged_by("alert_drill", unmeasured="--scale"),
        "Delivered to a local receiver; see erratum alert.pagerduty_phase4",
    ),
)

_LOGS = (
    promise(
        "logging.structured",
        "Cloud Logging/code 1",
        '"message": "Walk created"',
        MEASUREMENT,
        judged_by("conformance"),
        "Every log line is JSON with severity, message, walk_id, user_id, pod_name, timestamp",
    ),
    promise(
        "monitoring.commands",
        _COMMANDS,
        "kubectl get events --sort-by='.lastTimestamp'",
        PROCEDURE,
        judged_by("scaling"),
        "The five commands are run as written",
    ),
    promise(
        "monitoring.logs_command",
        _COMMANDS,
        "kubectl logs -f deployment/tekutoko-api",
        PROCEDURE,
        judged_by("scaling"),
        "Run as written: kubectl itself says which one of the pods it follows",
        wrong(
            "monitoring.logs_of_one_pod",
            "kubectl logs deployment/... follows one container of one pod; the other replicas stay unseen",
            "kubectl logs -f -l app=tekutoko-api --all-containers --prefix --max-log-requests 20",
        ),
    ),
)

CLAIMS: tuple[Claim, ...] = (*_INDICATORS, *_OBJECTIVES, *_ALERTS, *_LOGS)
