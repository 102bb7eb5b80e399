"""One state for every claim, and none that the evidence does not carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from harness.model.claim import ShownOn
from harness.model.judgement import Kind, Verdict
from harness.model.message import Message, english, message
from harness.model.result import Part
from harness.model.stack import Capability, EnvironmentKind
from harness.report.signoff.states import runs, standings
from harness.report.signoff.types import ClaimStanding, ClaimState, EvidenceWanted, StoredResult
from harness.report.words import ASK
from tests import register as claims
from tests.signoff.made import ASKED, judgement, stored

CLAIM = "scaling.time.manual_up"
REGISTER = {**claims.REGISTER, CLAIM: msgspec.structs.replace(claims.REGISTER[CLAIM], shown_on=ShownOn.KIND)}
PASSED = judgement(CLAIM, Verdict.PASS)
FAILED = judgement(CLAIM, Verdict.FAIL)
UNCLEAR = judgement(CLAIM, Verdict.INCONCLUSIVE)


def standing(
    found: Sequence[StoredResult], claim: str = CLAIM, asked: EvidenceWanted = ASKED, **fields: Any
) -> ClaimStanding:
    register = {**REGISTER, claim: msgspec.structs.replace(REGISTER[claim], **fields)}
    return next(each for each in standings(register, found, asked) if each.claim == claim)


def day(number: int, *judged: Any, **more: Any) -> StoredResult:
    """A run on that day of January; the page is made on the tenth."""
    return stored(f"day{number}", *judged, **{"started_utc": f"2026-01-{number:02}T00:00:00.000Z", **more})


def test_without_evidence_nothing_is_shown_and_all_have_a_reason() -> None:
    found = standings(REGISTER, [], ASKED)
    assert [each.claim for each in found] == [*REGISTER]
    assert {each.state for each in found} == {ClaimState.NOT_SHOWN}
    assert all(each.told for each in found)


@pytest.mark.parametrize(
    ("tries", "state", "held"),
    [
        ([PASSED], ClaimState.SHOWN, (1, 1)),
        ([PASSED] * 2, ClaimState.SHOWN, (2, 2)),
        ([PASSED] * 3, ClaimState.SHOWN, (3, 3)),
        ([FAILED, PASSED, PASSED, PASSED], ClaimState.SHOWN, (3, 3)),  # the last three
        ([PASSED, FAILED, PASSED, PASSED], ClaimState.NOT_SHOWN, (2, 3)),
        ([PASSED, UNCLEAR, PASSED], ClaimState.NOT_SHOWN, (2, 3)),
        ([PASSED, PASSED, PASSED, FAILED], ClaimState.FAILED, (0, 0)),
        ([PASSED, UNCLEAR], ClaimState.NOT_SHOWN, (0, 0)),
    ],
)
def test_each_of_the_last_three_tries_must_have_held(
    tries: list[Any], state: ClaimState, held: tuple[int, int]
) -> None:
    found = standing([day(number, each) for number, each in enumerate(tries, 4)])
    assert (found.state, (found.held, found.tries)) == (state, held)


@pytest.mark.parametrize(
    ("shown_on", "rung", "state"),
    [
        (ShownOn.ARITHMETIC, EnvironmentKind.LOCAL, ClaimState.SHOWN),
        (ShownOn.LOCAL, EnvironmentKind.LOCAL, ClaimState.SHOWN),
        (ShownOn.KIND, EnvironmentKind.LOCAL, ClaimState.NOT_SHOWN),
        (ShownOn.KIND, EnvironmentKind.KIND, ClaimState.SHOWN),
        (ShownOn.KIND, EnvironmentKind.KUBE, ClaimState.SHOWN),  # theirs serves for kind too
        (ShownOn.CLUSTER, EnvironmentKind.KIND, ClaimState.NOT_SHOWN),
        (ShownOn.CLUSTER, EnvironmentKind.KUBE, ClaimState.SHOWN),
        (ShownOn.REGION, EnvironmentKind.KUBE, ClaimState.NOT_SHOWN),
        (ShownOn.MONTH, EnvironmentKind.KUBE, ClaimState.NOT_SHOWN),
        (ShownOn.PERSON, EnvironmentKind.KUBE, ClaimState.NOT_SHOWN),
    ],
)
def test_only_an_environment_that_proves_the_claim_shows_it(
    shown_on: ShownOn, rung: EnvironmentKind, state: ClaimState
) -> None:
    judged_by = () if shown_on is ShownOn.PERSON else ("scaling",)
    assert standing([stored("run", PASSED, rung=rung)], shown_on=shown_on, judged_by=judged_by).state is state


def test_what_fails_where_less_is_proved_counts_against_and_what_could_not_tell_there_does_not() -> None:
    on_kind = stored("kind", PASSED)
    assert standing([on_kind, stored("local", FAILED, rung=EnvironmentKind.LOCAL)]).state is ClaimState.FAILED
    assert standing([on_kind, stored("local", UNCLEAR, rung=EnvironmentKind.LOCAL)]).state is ClaimState.SHOWN
    assert standing([on_kind, stored("again", UNCLEAR, rehearsal="load_stages")]).state is ClaimState.NOT_SHOWN


def in_parts(folder: str, **verdicts: Verdict) -> StoredResult:
    """A run in two parts, ``printed`` and ``ours``, of which the second was made with our component."""
    found = stored(folder, *(judgement(CLAIM, verdict, part=part) for part, verdict in verdicts.items()))
    parts = (
        Part(name="printed", title=Message(text="x")),
        Part(name="ours", title=Message(text="y"), corrected="graceful"),
    )
    return msgspec.structs.replace(found, result=msgspec.structs.replace(found.result, parts=parts))


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ({"printed": Verdict.PASS}, ClaimState.SHOWN),
        ({"ours": Verdict.PASS}, ClaimState.DOCUMENT_WRONG),
        ({"printed": Verdict.FAIL, "ours": Verdict.PASS}, ClaimState.DOCUMENT_WRONG),
        ({"printed": Verdict.FAIL, "ours": Verdict.FAIL}, ClaimState.FAILED),
        ({"printed": Verdict.PASS, "ours": Verdict.FAIL}, ClaimState.FAILED),
        ({"printed": Verdict.INCONCLUSIVE, "ours": Verdict.PASS}, ClaimState.NOT_SHOWN),
    ],
)
def test_what_holds_with_a_correction_alone_is_the_documents_fault(
    verdicts: dict[str, Verdict], state: ClaimState
) -> None:
    assert standing([in_parts("run", **verdicts)]).state is state


def test_a_rollback_limit_is_shown_by_firing_where_it_must_and_by_not_firing_otherwise() -> None:
    limit = {"kind": Kind.ROLLBACK_LIMIT}
    quiet = stored("quiet", judgement(CLAIM, Verdict.PASS, **limit))
    fired = stored("fired", judgement(CLAIM, Verdict.FAIL, **limit), injected=(message("errors"),), status=20)
    assert standing([quiet]).state is ClaimState.NOT_SHOWN
    assert standing([fired]).state is ClaimState.NOT_SHOWN
    assert standing([quiet, fired]).state is ClaimState.SHOWN
    assert standing([fired, stored("out of turn", judgement(CLAIM, Verdict.FAIL, **limit))]).state is ClaimState.FAILED


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("simulated: no evidence for a sign-off", {"rung": EnvironmentKind.SIM}),
        ("another target: walk-api:v2", {"target": "walk-api:v2"}),
        ("another program or image: sha256:2222", {"target_digest": "sha256:2222"}),
        (f"it does not say of which program or image it is: {ASK}", {"target_digest": ""}),
        ("too old: 8.0 days, at most 7 count", {"started_utc": "2026-01-02T00:00:00.000Z"}),
        ("its time cannot be: 2026-02-01T00:00:00Z", {"started_utc": "2026-02-01T00:00:00Z"}),
        ("its time cannot be: yesterday", {"started_utc": "yesterday"}),
        ("it is under way, or was killed before it could report", {"status": None}),
    ],
)
def test_evidence_that_does_not_count_says_why_and_shows_nothing(why: str, more: dict[str, Any]) -> None:
    run = stored("run", PASSED, FAILED, **more)
    found = standing([run])
    assert found.state is ClaimState.NOT_SHOWN and not found.evidence
    assert why in english(found.told)
    assert [english(each.left_out) for each in runs([run], ASKED)] == [why]


@pytest.mark.parametrize("digest", ["", "sha256:1111"])
def test_where_no_digest_is_known_no_evidence_counts_and_the_page_asks_for_the_program(digest: str) -> None:
    asked, run = msgspec.structs.replace(ASKED, digests=()), stored("run", PASSED, target_digest=digest)
    found = standing([run], asked=asked)
    assert found.state is ClaimState.NOT_SHOWN and ASK in english(found.told)
    assert ASK in english(runs([run], asked)[0].left_out)


@pytest.mark.parametrize(
    "more", [{"target_bundled": True}, {"capabilities": (Capability.REAL_PROCESSES,)}, {"capabilities": ()}]
)
def test_nothing_is_said_of_the_go_backend_by_another_api_or_without_limits(more: dict[str, Any]) -> None:
    for each in (PASSED, FAILED):
        assert standing([stored("run", each, **more)], about_go_backend=True).state is ClaimState.NOT_SHOWN
    assert standing([stored("run", PASSED)], about_go_backend=True).state is ClaimState.SHOWN


@pytest.mark.parametrize("more", [{"errors": ("a pod died",)}, {"leaks": ("port 5432",)}, {"status": 31}])
def test_a_run_that_broke_shows_nothing_and_what_it_saw_fail_counts(more: dict[str, Any]) -> None:
    assert standing([stored("run", PASSED, **more)]).state is ClaimState.NOT_SHOWN
    assert standing([stored("run", FAILED, **more)]).state is ClaimState.FAILED
    assert runs([stored("run", PASSED, **more)], ASKED)[0].broke


def test_by_a_run_whose_evidence_is_gone_nothing_is_shown_and_what_it_saw_fail_counts() -> None:
    """A result alone says what anybody wrote into it."""
    lost = message("the run's evidence.sqlite is not there")
    gone, failed = (msgspec.structs.replace(stored("run", each), lost=lost) for each in (PASSED, FAILED))
    assert standing([gone]).state is ClaimState.NOT_SHOWN
    assert standing([failed]).state is ClaimState.FAILED
    [listed] = runs([gone], ASKED)
    assert not listed.broke and "evidence.sqlite is not there" in english(listed.limits), "it ended as it should"


def test_each_part_and_each_check_has_tries_of_its_own() -> None:
    one = day(8, judgement(CLAIM, Verdict.FAIL, part="one"), judgement(CLAIM, Verdict.PASS, part="two"))
    assert standing([one, day(9, judgement(CLAIM, Verdict.PASS, part="two"))]).state is ClaimState.FAILED
    assert standing([one, day(9, judgement(CLAIM, Verdict.PASS, part="one"))]).state is ClaimState.NOT_SHOWN
    unmade = day(9, judgement(CLAIM, Verdict.NOT_EXERCISED))
    assert standing([day(8, FAILED), unmade]).state is ClaimState.FAILED
    assert standing([day(8, PASSED), unmade]).state is ClaimState.SHOWN


def test_a_run_of_less_is_no_try_and_what_it_saw_fail_counts() -> None:
    narrowed: tuple[dict[str, Any], ...] = ({"smaller": ("--window 60s",)}, {"only": ("other",)})
    for more in narrowed:
        assert standing([stored("run", PASSED, **more)]).state is ClaimState.NOT_SHOWN
        assert standing([stored("run", FAILED, **more)]).state is ClaimState.FAILED
    assert standing([stored("run", PASSED, only=(CLAIM,))]).state is ClaimState.SHOWN
    less = stored("less", UNCLEAR, smaller=("--window 60s",))
    assert standing([stored("run", PASSED), less]).state is ClaimState.SHOWN


def test_a_run_by_a_teams_own_manifests_takes_the_place_of_one_by_the_bundled_ones() -> None:
    own, bundled = stored("own", PASSED, in_place=("--manifests k8s",)), day(8, FAILED)
    assert standing([own, bundled]).state is ClaimState.SHOWN
    assert standing([day(9, PASSED), day(8, FAILED, in_place=("--manifests k8s",))]).state is ClaimState.FAILED


def test_a_check_that_held_its_run_unmade_is_not_made_good_by_another_check_of_the_claim() -> None:
    """A database with tables of other names: answers are right, and whether a write was kept nobody looked."""
    kept = judgement(CLAIM, Verdict.NOT_EXERCISED, id="kept", gates=True, told=(message("no table walks"),))
    seen = judgement(CLAIM, Verdict.PASS, id="shown")
    found = standing([stored("run", seen, kept)])
    assert (found.state, english(found.told)) == (ClaimState.NOT_SHOWN, "no table walks")
    made = stored("again", judgement(CLAIM, Verdict.PASS, id="kept"), rehearsal="load_stages")
    assert standing([stored("run", seen, kept), made]).state is ClaimState.SHOWN
    assert standing([stored("run", seen, msgspec.structs.replace(kept, gates=False))]).state is ClaimState.SHOWN


def test_an_erratum_that_was_seen_is_the_state_of_its_claim_and_of_the_claim_judged() -> None:
    erratum = "scaling.hpa_takes_back"
    owner = claims.ERRATA[erratum][0].id
    seen = judgement(CLAIM, Verdict.ERRATUM_SHOWN, erratum=erratum)
    assert standing([stored("run", seen)]).state is ClaimState.DOCUMENT_WRONG
    assert standing([stored("run", seen)], owner).state is ClaimState.DOCUMENT_WRONG
    beside = judgement(CLAIM, Verdict.PASS, erratum=erratum)
    assert standing([stored("run", beside)], owner).state is ClaimState.DOCUMENT_WRONG
    unseen = judgement(CLAIM, Verdict.NOT_EXERCISED, erratum=erratum)
    assert standing([stored("run", unseen)], owner).state is ClaimState.NOT_SHOWN
    assert standing([stored("run", seen, judgement(CLAIM, Verdict.FAIL, id="x"))]).state is ClaimState.FAILED


def test_what_was_merely_seen_shows_nothing() -> None:
    seen = judgement(CLAIM, Verdict.PASS, kind=Kind.OBSERVATION, gates=False)
    assert standing([stored("run", seen)]).state is ClaimState.NOT_SHOWN
