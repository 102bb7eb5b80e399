"""Claims of 段階的ロールアウト計画: the four weeks and the rollback."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import CRITERION, MEASUREMENT, PROCEDURE, judged_by, promise, wrong

_PLAN = "段階的ロールアウト計画"
_WEEK = f"{_PLAN}/table 1/row"
_STEP = f"{_PLAN}/list 1/item"

_WEEK1 = (
    promise(
        "rollout.schedule.week1",
        f"{_WEEK} 1",
        "| 1 | 10% | 開発チーム |",
        MEASUREMENT,
        judged_by("rollout"),
        "50 developers of 500 have the flag on, by quota",
        wrong(
            "rollout.share_or_audience",
            "a share (10 %) and an audience (the developers) are two rules: they agree only if the developers are "
            "50 of 500, and one boolean in Remote Config has no audience unless a condition says so",
            "name the conditions: audience developers, all of it; the share is its consequence",
        ),
        wrong(
            "rollout.no_windows",
            "no criterion names its window, its smallest sample, or who is counted",
            "take the windows and samples of the rehearsal's preflight (week 1: 330 s at 50 users)",
        ),
    ),
    promise(
        "rollout.week1.check",
        f"{_WEEK} 1",
        "基本動作確認",
        MEASUREMENT,
        judged_by("rollout"),
        "Every operation is seen in the window",
    ),
    promise(
        "rollout.week1.success.error_ratio",
        f"{_WEEK} 1",
        "エラー率 < 1%",
        CRITERION,
        judged_by("rollout"),
        "Upper bound of the API's error ratio below 1 %",
    ),
    promise(
        "rollout.week1.success.latency_p95",
        f"{_WEEK} 1",
        "p95レイテンシ < 500ms",
        CRITERION,
        judged_by("rollout"),
        "Upper bound of p95 from the due time below 500 ms",
        go=True,
    ),
    promise(
        "rollout.week1.rollback.error_ratio",
        f"{_WEEK} 1",
        "エラー率 > 5%",
        CRITERION,
        judged_by("rollout"),
        "Measured error ratio since the phase began, once 60 requests are in",
        wrong(
            "rollout.week1.gaps",
            "between 1 % and 5 % errors the week neither succeeds nor rolls back, the critical alert (3 %) fires "
            "below the rollback limit, and a p95 of ten seconds rolls nothing back",
            "say that the gap holds the week; add a p95 limit as in week 2",
        ),
    ),
)

_WEEK2 = (
    promise(
        "rollout.schedule.week2",
        f"{_WEEK} 2",
        "| 2 | 30% | ベータユーザー |",
        MEASUREMENT,
        judged_by("rollout"),
        "Developers and the 100 beta users, 150 of 500: 30 %",
    ),
    promise(
        "rollout.week2.check",
        f"{_WEEK} 2",
        "レイテンシ、エラー率",
        MEASUREMENT,
        judged_by("rollout"),
        "Every window carries both",
    ),
    promise(
        "rollout.week2.success.error_ratio",
        f"{_WEEK} 2",
        "同上",
        CRITERION,
        judged_by("rollout"),
        "As week 1: upper bound below 1 %",
    ),
    promise(
        "rollout.week2.success.latency_p95",
        f"{_WEEK} 2",
        "同上",
        CRITERION,
        judged_by("rollout"),
        "As week 1: upper bound below 500 ms",
        go=True,
    ),
    promise(
        "rollout.week2.success.request_rate",
        f"{_WEEK} 2",
        "QPS 3件/秒達成",
        CRITERION,
        judged_by("rollout"),
        "Completed requests over the window, while at least 3.3/s is offered",
        wrong(
            "rollout.week2.rate_without_margin",
            "30 % of 500 at one request in 50 s offers exactly 150 / 50 = 3.0/s: one late request fails the week",
            "ask for 90 % of the offered rate, or run at one request in 45 s (3.33/s)",
        ),
    ),
    promise(
        "rollout.week2.rollback.error_ratio",
        f"{_WEEK} 2",
        "エラー率 > 3%",
        CRITERION,
        judged_by("rollout"),
        "Measured error ratio since the phase began, once 100 requests are in",
    ),
    promise(
        "rollout.week2.rollback.latency_p95",
        f"{_WEEK} 2",
        "p95 > 600ms",
        CRITERION,
        judged_by("rollout"),
        "Measured p95 since the phase began, once 60 requests are in",
    ),
)

_WEEK3 = (
    promise(
        "rollout.schedule.week3",
        f"{_WEEK} 3",
        "| 3 | 50% | 一般ユーザー半分 |",
        MEASUREMENT,
        judged_by("rollout"),
        "Developers, beta users and 100 of 350 general users: 250 of 500",
        wrong(
            "rollout.week3.half_of_whom",
            "half of the general users is 175; with developers and beta users that is 325 of 500, 65 %, not 50 %",
            "say '50 % of all: the first 100 of 350 general users'",
        ),
    ),
    promise(
        "rollout.week3.check",
        f"{_WEEK} 3",
        "負荷テスト",
        MEASUREMENT,
        judged_by("rollout"),
        "250 users on the API at the document's pace; the stages are a load test of their own",
    ),
    promise(
        "rollout.week3.success.concurrent_users",
        f"{_WEEK} 3",
        "同時接続250人達成",
        CRITERION,
        judged_by("rollout"),
        "Users live for the whole window with a good answer in every 120 s of it, at least 250",
        wrong(
            "rollout.week3.everybody_at_once",
            "250 is all whose flag is on: the week succeeds only if each of them is out walking at the same time, "
            "which real users never are",
            "judge the capacity by the rehearsal's load, and the week by the users who come",
        ),
    ),
    promise(
        "rollout.week3.success.availability",
        f"{_WEEK} 3",
        "稼働率 > 99.5%",
        CRITERION,
        judged_by("rollout"),
        "Lower bound of good probes over all probes above 99.5 % (598 without a failure)",
        wrong(
            "rollout.week3.errors_dropped",
            "weeks 3 and 4 drop the criteria on errors and latency: with probes good, 4 % of the users' requests "
            "could fail and the week would succeed",
            "keep week 2's criteria in weeks 3 and 4",
        ),
    ),
    promise(
        "rollout.week3.rollback.availability",
        f"{_WEEK} 3",
        "稼働率 < 99%",
        CRITERION,
        judged_by("rollout"),
        "Measured availability since the phase began, once 300 probes are in; five blind seconds fire at once",
    ),
)

_WEEK4 = (
    promise(
        "rollout.schedule.week4",
        f"{_WEEK} 4",
        "| 4 | 100% | 全ユーザー |",
        MEASUREMENT,
        judged_by("rollout"),
        "All 500",
    ),
    promise(
        "rollout.week4.check",
        f"{_WEEK} 4",
        "最終検証",
        MEASUREMENT,
        judged_by("rollout"),
        "All four weeks' evidence in one report",
    ),
    promise(
        "rollout.week4.success.concurrent_users",
        f"{_WEEK} 4",
        "同時接続500人達成",
        CRITERION,
        judged_by("rollout"),
        "As week 3, at least 500; see erratum rollout.week3.everybody_at_once",
    ),
    promise(
        "rollout.week4.success.availability",
        f"{_WEEK} 4",
        "稼働率 > 99.9%",
        CRITERION,
        judged_by("rollout"),
        "Lower bound above 99.9 % (2,995 probes without a failure)",
    ),
    promise(
        "rollout.week4.rollback.availability",
        f"{_WEEK} 4",
        "稼働率 < 99.5%",
        CRITERION,
        judged_by("rollout"),
        "Measured availability since the phase began, once 600 probes are in",
    ),
)

_ROLLBACK = (
    promise(
        "rollout.rollback.step1",
        f"{_STEP} 1",
        "`use_go_backend`を`false`に変更",
        PROCEDURE,
        judged_by("run"),
        "The template is published with the flag off",
    ),
    promise(
        "rollout.rollback.step2",
        f"{_STEP} 2",
        "5分以内に全クライアントがFirebase経由に切り替わる",
        PROCEDURE,
        judged_by("flag_proof", "run"),
        "Each client's first request on Firestore after the publish, the last within 300 s",
        wrong(
            "rollout.rollback.twelve_hours",
            "Firebase's default minimum fetch interval is 12 h: a client that has just fetched keeps the old value "
            "for 12 h, and a closed app until it is opened",
            "set the interval to at most 60 s (or use real-time updates), and count open apps only",
        ),
    ),
    promise(
        "rollout.rollback.step3",
        f"{_STEP} 3",
        "メトリクス/ログを保存し、原因分析",
        PROCEDURE,
        judged_by("run"),
        "Evidence, and log and metrics of every pod that became ready, are in the run's folder; a person analyses them",
        wrong(
            "rollout.rollback.data_left_behind",
            "no step heals the data: walks only PostgreSQL holds (failed mirror writes) and walks written to "
            "Firestore after the rollback stay apart",
            "add a step: reconcile, in a stated direction",
        ),
    ),
)

CLAIMS: tuple[Claim, ...] = (*_WEEK1, *_WEEK2, *_WEEK3, *_WEEK4, *_ROLLBACK)
