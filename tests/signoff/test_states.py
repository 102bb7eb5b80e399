"""One state for every claim, and no good one that the evidence does not carry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from harness.model.claim import Judged
from harness.model.judgement import Kind
from harness.model.message import english, message
from harness.model.stack import Capability, Rung
from harness.model.verdict import Verdict
from harness.report.words import ASK
from harness.signoff.states import blocked, runs, standings
from harness.signoff.types import Asked, Standing, State, Stored
from scenarios import claims
from tests.signoff.made import ASKED, judgement, stored

CLAIM = "scaling.time.manual_up"
PASSED = judgement(CLAIM, Verdict.PASS)
FAILED = judgement(CLAIM, Verdict.FAIL)


def standing(found: Sequence[Stored], claim: str = CLAIM, asked: Asked = ASKED) -> Standing:
    return next(each for each in standings(claims.REGISTER, found, asked) if each.claim == claim)


def test_without_evidence_nothing_is_ready_and_all_have_a_state_and_a_reason() -> None:
    found = standings(claims.REGISTER, [], ASKED)
    assert [each.claim for each in found] == [*claims.REGISTER]
    assert {each.state for each in found} == {State.PERSON, State.NOT_EXERCISED}
    assert all(each.told for each in found)
    assert blocked(found) and blocked(())
    assert english(standing([]).told) == "no result of scaling says anything of it"


def test_a_verdict_of_the_target_makes_a_claim_ready_with_its_evidence() -> None:
    found = standing([stored("run", PASSED)])
    assert found.state is State.READY and english(found.told) == "as it was seen"
    assert [(each.folder, each.judgement.id) for each in found.evidence] == [("run", CLAIM)]


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_what_fails_or_is_inconclusive_anywhere_counts_against_the_claim(verdict: Verdict) -> None:
    against = stored("local", judgement(CLAIM, verdict, gates=False), rung=Rung.LOCAL)
    found = standing([stored("run", PASSED), against])
    assert found.state is State.NOT_READY and found.evidence[0].folder == "local"


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("simulated: no evidence for a sign-off", {"rung": Rung.SIM}),
        ("another target: walk-api:v2", {"target": "walk-api:v2"}),
        ("another program or image: sha256:2222", {"target_digest": "sha256:2222"}),
        (f"it does not say of which program or image it is: {ASK}", {"target_digest": ""}),
        ("too old: 8.0 days, at most 7 count", {"started_utc": "2026-01-02T00:00:00.000Z"}),
        ("its time cannot be: 2026-02-01T00:00:00Z", {"started_utc": "2026-02-01T00:00:00Z"}),
        ("its time cannot be: yesterday", {"started_utc": "yesterday"}),
        ("it is under way, or was killed before it could report", {"status": None}),
    ],
)
def test_evidence_that_does_not_count_says_why_and_makes_nothing_ready(why: str, more: dict[str, Any]) -> None:
    run = stored("run", PASSED, FAILED, **more)
    found = standing([run])
    assert found.state is State.NOT_EXERCISED and not found.evidence
    assert english(found.told) == f"no result of scaling that counts; {why}"
    assert [english(each.left_out) for each in runs([run], ASKED)] == [why]


@pytest.mark.parametrize("digest", ["", "sha256:1111"])
def test_where_no_digest_is_known_no_evidence_counts_and_the_page_asks_for_the_program(digest: str) -> None:
    asked, run = msgspec.structs.replace(ASKED, digests=()), stored("run", PASSED, target_digest=digest)
    found = standing([run], asked=asked)
    assert found.state is State.NOT_EXERCISED and ASK in english(found.told)
    assert ASK in english(runs([run], asked)[0].left_out)


ABOUT_GO = sorted(name for name, claim in claims.REGISTER.items() if claim.about_go_backend)


@pytest.mark.parametrize("claim", ABOUT_GO)
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"target_bundled": True}, "the target is the bundled Python API"),
        ({"capabilities": (Capability.REAL_PROCESSES,)}, "limits were not enforced"),
        ({"capabilities": ()}, "limits were not enforced"),
    ],
)
def test_nothing_is_said_of_the_go_backend_by_another_api_or_without_limits(
    more: dict[str, Any], why: str, claim: str
) -> None:
    for verdict in (Verdict.PASS, Verdict.FAIL):
        found = standing([stored("run", judgement(claim, verdict), **more)], claim)
        assert found.state is State.NOT_EXERCISED and why in english(found.told)
    assert standing([stored("run", judgement(claim, Verdict.PASS))], claim).state is State.READY


def test_every_claim_on_speed_or_size_that_is_judged_is_about_the_go_backend() -> None:
    """Whatever of the document says how fast or how large the backend is, and is measured or a criterion of success."""
    fast = {
        name
        for name, claim in claims.REGISTER.items()
        if claim.judged in (Judged.MEASUREMENT, Judged.CRITERION)
        and re.search(r"p95|レイテンシ < |req/sec|大規模化|同時接続500人", claim.quotation)
        and not name.startswith(("sli.", "alert.")) and ".rollback." not in name
    }  # fmt: skip
    assert {"requirements.latency_500ms", "load.pod_capacity", "load.target_qps", "decision.future"} <= fast
    # How many were there, whoever answered; and a metric's name.
    assert fast <= set(ABOUT_GO) | {"rollout.week4.success.concurrent_users", "manifest.hpa.external"}
    assert "checklist.performance.sizing" in ABOUT_GO


@pytest.mark.parametrize("more", [{"errors": ("a pod died",)}, {"leaks": ("port 5432",)}, {"status": 31}])
def test_a_run_that_broke_makes_nothing_ready_and_what_it_saw_fail_counts(more: dict[str, Any]) -> None:
    found = standing([stored("run", PASSED, **more)])
    assert found.state is State.NOT_READY and "did not end as it should" in english(found.told)
    assert english(standing([stored("run", FAILED, **more)]).told) == "as it was seen"
    assert runs([stored("run", PASSED, **more)], ASKED)[0].broke


def test_by_a_run_whose_evidence_is_gone_nothing_is_ready_and_what_it_saw_fail_counts() -> None:
    """A result alone says what anybody wrote into it."""
    lost = message("the run's evidence.sqlite is not there")
    gone, failed = (msgspec.structs.replace(stored("run", each), lost=lost) for each in (PASSED, FAILED))
    found = standing([gone])
    assert found.state is State.NOT_READY
    assert english(found.told) == "it cannot be judged again: the run's evidence.sqlite is not there"
    assert english(standing([failed]).told) == "as it was seen"
    [listed] = runs([gone], ASKED)
    assert not listed.broke and english(listed.limits) == english(found.told), "it ended as it should"


def test_the_newest_of_a_part_counts_and_leaves_other_parts_as_they_were() -> None:
    old: dict[str, Any] = {"started_utc": "2026-01-08T00:00:00.000Z"}
    older = stored("old", judgement(CLAIM, Verdict.FAIL, part="one"), judgement(CLAIM, Verdict.PASS, part="two"), **old)
    one = stored("new", judgement(CLAIM, Verdict.PASS, part="one"))
    assert [each.folder for each in standing([older, one]).evidence] == ["new", "old"]
    assert standing([older, one]).state is State.READY
    two = stored("new", judgement(CLAIM, Verdict.PASS, part="two"))
    assert standing([two, older]).state is State.NOT_READY


def test_what_a_newer_whole_run_did_not_exercise_takes_no_failure_back() -> None:
    old: dict[str, Any] = {"started_utc": "2026-01-08T00:00:00.000Z"}
    failed, unseen = stored("old", FAILED, **old), stored("new", judgement(CLAIM, Verdict.NOT_EXERCISED))
    elsewhere = stored("local", PASSED, rung=Rung.LOCAL)
    assert standing([failed, elsewhere]).state is State.NOT_READY
    assert standing([failed, unseen, elsewhere]).state is State.NOT_READY
    passed = stored("old", PASSED, **old)
    assert standing([passed, unseen]).state is State.READY
    assert standing([passed, stored("new", FAILED), unseen]).state is State.NOT_READY


def test_nor_does_what_that_run_judged_of_the_claim_beside_it() -> None:
    """Of two checks of a part the newer whole run made one alone; one that it does not know any more is gone."""

    def checks(folder: str, day: int, **verdicts: Verdict) -> Stored:
        found = [judgement(CLAIM, each, id=name) for name, each in verdicts.items()]
        return stored(folder, *found, started_utc=f"2026-01-0{day}T00:00:00.000Z")

    failed = checks("old", 7, one=Verdict.PASS, two=Verdict.FAIL)
    for two in (
        {"one": Verdict.PASS, "two": Verdict.NOT_EXERCISED},
        {"two": Verdict.NOT_EXERCISED, "one": Verdict.PASS},
    ):
        found = standing([failed, checks("new", 8, **two)])
        assert found.state is State.NOT_READY
        assert [(each.folder, each.judgement.id) for each in found.evidence if each.state is State.NOT_READY] == [
            ("old", "two")
        ]
    unseen = checks("new", 8, one=Verdict.PASS, two=Verdict.NOT_EXERCISED)
    assert (
        standing([checks("older", 6, two=Verdict.FAIL), checks("old", 7, two=Verdict.PASS), unseen]).state
        is State.READY
    )
    assert standing([failed, checks("new", 8, one=Verdict.PASS)]).state is State.READY
    judged = checks("newest", 9, one=Verdict.PASS, two=Verdict.PASS)
    assert standing([failed, unseen, judged]).state is State.READY


def test_a_check_that_held_its_run_unmade_is_not_made_good_by_another_check_of_the_claim() -> None:
    """A database with tables of other names: answers are right, and whether a write was kept nobody looked."""
    kept = judgement(CLAIM, Verdict.NOT_EXERCISED, id="kept", gates=True, told=(message("no table walks"),))
    found = standing([stored("run", judgement(CLAIM, Verdict.PASS, id="shown"), kept)])
    assert (found.state, english(found.told)) == (State.NOT_EXERCISED, "no table walks")
    made = stored("local", judgement(CLAIM, Verdict.PASS, id="kept"), rung=Rung.LOCAL)
    assert standing([stored("run", judgement(CLAIM, Verdict.PASS, id="shown"), kept), made]).state is State.READY
    beside = msgspec.structs.replace(kept, gates=False)
    assert standing([stored("run", judgement(CLAIM, Verdict.PASS, id="shown"), beside)]).state is State.READY


def test_an_erratum_that_was_shown_is_the_state_of_its_claim_and_of_the_claim_judged() -> None:
    erratum = "scaling.hpa_takes_back"
    owner = claims.ERRATA[erratum][0].id
    shown = judgement(CLAIM, Verdict.ERRATUM_SHOWN, erratum=erratum)
    assert standing([stored("run", shown)]).state is State.ERRATUM_SHOWN
    assert standing([stored("run", shown)], owner).state is State.ERRATUM_SHOWN
    beside = judgement(CLAIM, Verdict.PASS, erratum=erratum)
    assert standing([stored("run", beside)], owner).state is State.ERRATUM_SHOWN
    unseen = judgement(CLAIM, Verdict.NOT_EXERCISED, erratum=erratum)
    assert standing([stored("run", unseen)], owner).state is State.NOT_EXERCISED
    assert standing([stored("run", shown, judgement(CLAIM, Verdict.FAIL, id="x"))]).state is State.NOT_READY


def test_what_was_merely_seen_makes_nothing_ready() -> None:
    seen = judgement(CLAIM, Verdict.PASS, kind=Kind.OBSERVATION, gates=False)
    found = standing([stored("run", seen)])
    assert found.state is State.NOT_EXERCISED and english(found.told).startswith("it was seen, and nothing was judged")


def test_a_persons_claim_stays_a_persons_whatever_was_measured() -> None:
    claim = "decision.platform"
    found = standing([stored("run", judgement(claim, Verdict.PASS))], claim)
    assert found.state is State.PERSON and len(found.evidence) == 1
