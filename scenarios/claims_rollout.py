"""Claims of 段階的ロールアウト計画: the four weeks and the rollback."""

from __future__ import annotations

from harness.model.claim import Claim
from scenarios.claim_form import (
    COMPUTED,
    CRITERION,
    DATA_LOST,
    MEASUREMENT,
    OUTAGE,
    PROCEDURE,
    READ,
    RECORD,
    SEEN,
    WRONG_FIGURE,
    judged_by,
    person,
    promise,
    wrong,
)

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
            "a share (10 %) and an audience (the developers) are two rules: they agree only if a tenth of all users "
            "are developers, and a share alone draws users of every kind, as one boolean in Remote Config has no "
            "audience unless a condition says so",
            "name the conditions: audience developers, all of it; the share is its consequence",
            WRONG_FIGURE,
            READ,
        ),
        says="In week 1 the development team, 10 % of the users, has the flag on.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "rollout.week1.check",
        f"{_WEEK} 1",
        "基本動作確認",
        MEASUREMENT,
        judged_by("rollout"),
        "Every operation of the contract is answered well at least once in the window",
        says="In week 1 it is confirmed that the basic operations work.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week1.success.error_ratio",
        f"{_WEEK} 1",
        "エラー率 < 1%",
        CRITERION,
        judged_by("rollout"),
        "Upper bound of the API's error ratio below 1 %",
        wrong(
            "rollout.no_windows",
            "no criterion of the table says over what time it is counted, whose requests count, or from how many on: "
            "as written one failed request among the first ten rolls week 1 back, and a good first hour makes it "
            "succeed",
            "say that the Go backend's users are counted: for success over the whole week, which is held below the "
            "smallest sample (with 95 % confidence 299 requests for an error ratio < 1 %, 59 for a p95, 598 probes for "
            "> 99.5 %, 2,995 for > 99.9 %); for a roll back from the week's first 100 requests or 600 probes on, at "
            "any time",
            WRONG_FIGURE,
            READ,
        ),
        says="Week 1 succeeds if fewer than 1 % of the requests fail.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week1.success.latency_p95",
        f"{_WEEK} 1",
        "p95レイテンシ < 500ms",
        CRITERION,
        judged_by("rollout"),
        "Upper bound of p95 from the due time below 500 ms",
        go=True,
        says="Week 1 succeeds if the p95 of the latency is below 500 ms.",
        consequence=WRONG_FIGURE,
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
            WRONG_FIGURE,
            READ,
        ),
        says="Week 1 is rolled back if more than 5 % of the requests fail.",
        consequence=OUTAGE,
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
        says="In week 2 the beta users have the flag on too: 30 % of the users.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "rollout.week2.check",
        f"{_WEEK} 2",
        "レイテンシ、エラー率",
        MEASUREMENT,
        judged_by("rollout"),
        "The window carries both, and each is within the week's criterion",
        says="In week 2 latency and error ratio are looked at.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "rollout.week2.success.error_ratio",
        f"{_WEEK} 2",
        "同上",
        CRITERION,
        judged_by("rollout"),
        "As week 1: upper bound below 1 %",
        says="Week 2 succeeds if fewer than 1 % of the requests fail.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week2.success.latency_p95",
        f"{_WEEK} 2",
        "同上",
        CRITERION,
        judged_by("rollout"),
        "As week 1: upper bound below 500 ms",
        go=True,
        says="Week 2 succeeds if the p95 of the latency is below 500 ms.",
        consequence=WRONG_FIGURE,
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
            "offer more than is asked for: 3 requests/s reached while a load test sends at least 3.3/s",
            WRONG_FIGURE,
            SEEN,
        ),
        go=True,
        says="Week 2 succeeds if 3 requests a second are reached.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "rollout.week2.rollback.error_ratio",
        f"{_WEEK} 2",
        "エラー率 > 3%",
        CRITERION,
        judged_by("rollout"),
        "Measured error ratio since the phase began, once 100 requests are in",
        says="Week 2 is rolled back if more than 3 % of the requests fail.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week2.rollback.latency_p95",
        f"{_WEEK} 2",
        "p95 > 600ms",
        CRITERION,
        judged_by("rollout"),
        "Measured p95 since the phase began, once 60 requests are in",
        says="Week 2 is rolled back if the p95 of the latency is above 600 ms.",
        consequence=OUTAGE,
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
            "if the 30 % of week 2 stay on, the general users are the other 70 %: half of them is 35 %, which makes "
            "65 %, not 50 %; and nothing says whether they stay on",
            "say who has the flag on: everybody of week 2 and two in seven of the general users (20 % of all)",
            WRONG_FIGURE,
            COMPUTED,
        ),
        says="In week 3 half of the general users have the flag on too: 50 % of the users.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "rollout.week3.check",
        f"{_WEEK} 3",
        "負荷テスト",
        MEASUREMENT,
        judged_by("rollout"),
        "250 users on the API at the document's pace, and the good answers a second that this makes; the stages are a "
        "load test of their own",
        go=True,
        says="In week 3 the API is under a load test.",
        consequence=WRONG_FIGURE,
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
            "the document names no number of users but 500 at the same time: if these are all, the week succeeds only "
            "if everybody whose flag is on is out walking at once; if there are more, it succeeds by who happens to "
            "come",
            "judge the capacity by the rehearsal's load, and the week by the users who come",
            WRONG_FIGURE,
            READ,
        ),
        go=True,
        says="Week 3 succeeds if 250 users are served at the same time.",
        consequence=OUTAGE,
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
            "keep week 2's criteria and its rollback limits in weeks 3 and 4",
            OUTAGE,
            SEEN,
        ),
        says="Week 3 succeeds if the availability is above 99.5 %.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week3.rollback.availability",
        f"{_WEEK} 3",
        "稼働率 < 99%",
        CRITERION,
        judged_by("rollout"),
        "Measured availability since the phase began, once 300 probes are in; five blind seconds fire at once",
        says="Week 3 is rolled back if the availability is below 99 %.",
        consequence=OUTAGE,
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
        says="In week 4 all users have the flag on.",
        consequence=WRONG_FIGURE,
    ),
    promise(
        "rollout.week4.check",
        f"{_WEEK} 4",
        "最終検証",
        MEASUREMENT,
        judged_by("rollout"),
        "All four weeks advanced, with one program or image",
        says="Week 4 is the last verification.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week4.success.concurrent_users",
        f"{_WEEK} 4",
        "同時接続500人達成",
        CRITERION,
        judged_by("rollout"),
        "As week 3, at least 500; see erratum rollout.week3.everybody_at_once",
        go=True,
        says="Week 4 succeeds if 500 users are served at the same time.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week4.success.availability",
        f"{_WEEK} 4",
        "稼働率 > 99.9%",
        CRITERION,
        judged_by("rollout"),
        "Lower bound above 99.9 % (2,995 probes without a failure)",
        says="Week 4 succeeds if the availability is above 99.9 %.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.week4.rollback.availability",
        f"{_WEEK} 4",
        "稼働率 < 99.5%",
        CRITERION,
        judged_by("rollout"),
        "Measured availability since the phase began, once 600 probes are in",
        says="Week 4 is rolled back if the availability is below 99.5 %.",
        consequence=OUTAGE,
    ),
)

_ROLLBACK = (
    promise(
        "rollout.rollback.step1",
        f"{_STEP} 1",
        "`use_go_backend`を`false`に変更",
        PROCEDURE,
        judged_by("run"),
        "The template is published with the flag off, within 5 minutes of the decision",
        says="A roll back begins by setting use_go_backend to false in Remote Config.",
        consequence=OUTAGE,
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
            OUTAGE,
            SEEN,
        ),
        says="Within 5 minutes every client is back on Firebase.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.rollback.step3",
        f"{_STEP} 3",
        "メトリクス/ログを保存し",
        PROCEDURE,
        judged_by("run"),
        "Evidence, and log and metrics of every pod that became ready, are in the run's folder",
        wrong(
            "rollout.rollback.data_left_behind",
            "no step heals the data: walks only PostgreSQL holds (failed mirror writes) and walks written to "
            "Firestore after the rollback stay apart",
            "add a step: reconcile, in a stated direction",
            DATA_LOST,
            READ,
        ),
        says="The Go backend's metrics and logs are saved at a roll back.",
        consequence=OUTAGE,
    ),
    promise(
        "rollout.rollback.analysis",
        f"{_STEP} 3",
        "原因分析",
        RECORD,
        person("rollout.rollback.step3"),
        "People analyse the cause; who does, and by when, is for the team to say",
        says="The cause of a roll back is analysed.",
        consequence=OUTAGE,
    ),
)

CLAIMS: tuple[Claim, ...] = (*_WEEK1, *_WEEK2, *_WEEK3, *_WEEK4, *_ROLLBACK)
