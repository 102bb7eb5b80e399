"""What a report must say beside its verdicts: that nothing was exercised, which errata were seen and how, what the
rehearsal changes in the manifests, and what chance alone does."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from harness.report.frame import NOTHING, PASSED, by_status, nothing_line
from harness.report.junit_parts import judged_case, result_of
from harness.report.page import errata, errata_views

from harness.agreement import result as check_result
from harness.document import conclusion, manifest_facts, missing_manifests, patch_errata
from harness.judge.chance import false_roll_backs
from harness.manifests import load as load_manifests
from harness.model.errors import Exit
from harness.model.units import Unit
from harness.model.verdict import Combined, CriterionKind, Decision, ErratumSeen, FalseRollBack, Verdict
from harness.report import words
from harness.report.html import render
from harness.report.language import ENGLISH, language
from harness.report.summary import summary
from scenarios.claims import ERRATA, REGISTER
from scenarios.load import load
from tests.report.runs import decided, result

KUBERNETES = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
BASE = load_manifests(KUBERNETES / "overlays" / "local")


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended."""

    exit_status: int
    combined: Combined | None
    errors: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("end", "word"),
    [
        (End(exit_status=Exit.OK, combined=Combined.ALL_PASSED), PASSED),
        (End(exit_status=Exit.OK, combined=None), PASSED),  # stored before the word was
        (End(exit_status=Exit.HOLD, combined=Combined.NOTHING_EXERCISED), NOTHING),
        (End(exit_status=Exit.OK, combined=Combined.NOTHING_EXERCISED), NOTHING),
        (End(exit_status=Exit.HOLD, combined=Combined.NOT_ALL_PASSED), "Not all passed"),
        (End(exit_status=Exit.RUN_BROKEN, combined=Combined.NOTHING_EXERCISED, errors=("died",)), "Not finished"),
        (End(exit_status=Exit.LEAK, combined=Combined.ALL_PASSED, leaks=("p",)), "Something was left on the machine"),
        (End(exit_status=Exit.LEAK, combined=Combined.ALL_PASSED, errors=("died",), leaks=("p",)), "Not finished"),
    ],
)
def test_the_banner_says_how_it_ended_and_no_more(end: End, word: str) -> None:
    assert by_status(end, ENGLISH, "why").word == word
    assert by_status(end, language("ja"), "why").word != word
    assert bool(nothing_line(end)) is (word == NOTHING and end.exit_status == Exit.HOLD)


def test_an_erratum_shown_has_its_word_its_sign_and_is_green_in_junit_with_its_words() -> None:
    assert words.VERDICT[Verdict.ERRATUM_SHOWN] == "erratum shown"
    assert len(set(words.VERDICT_SIGN.values())) == len(Verdict)
    assert set(words.VERDICT) == set(words.VERDICT_SIGN) == set(Verdict)
    assert language("ja")(words.VERDICT[Verdict.ERRATUM_SHOWN]) == "要訂正箇所を確認"
    assert result_of(Verdict.ERRATUM_SHOWN, "told") is None
    assert judged_case("s", "n", Verdict.ERRATUM_SHOWN, "two pods").system_out == "erratum shown: two pods"


def test_only_errata_that_were_seen_are_listed_each_with_what_was_seen(tmp_path: Path) -> None:
    claims = ("rollout.schedule.week3", "rollout.week3.success.availability")
    assert all(REGISTER[claim].errata for claim in claims)
    silent = decided(Decision.ADVANCE, result(Verdict.PASS), claims=claims)
    assert errata([silent], REGISTER, ENGLISH) == []
    assert "rollout.week3.errors_dropped" not in render(tmp_path, silent, REGISTER)
    seen = ErratumSeen(id="manifest.configmap.keys_missing", seen="three keys were added")
    run = decided(Decision.ADVANCE, result(Verdict.PASS), claims=claims, errata=(seen.id,), errata_seen=(seen,))
    [view] = errata([run, run], REGISTER, ENGLISH)
    assert (view.id, view.seen) == (seen.id, seen.seen) and view.why
    for told in (render(tmp_path, run, REGISTER), summary(run)):
        assert "three keys were added" in told
    stored = decided(Decision.ADVANCE, result(Verdict.PASS), errata=(seen.id,))  # before that was kept
    assert [each.id for each in errata([stored], REGISTER, ENGLISH)] == [seen.id]
    assert [view.why for view in errata_views([ErratumSeen(id="unknown", seen="x")], REGISTER, ENGLISH)] == [""]


def test_what_patches_mend_is_seen_by_the_patches_and_by_nothing_else() -> None:
    seen = {each.id: each.seen for each in patch_errata(BASE)}
    assert set(seen) == {patch.erratum for patch in BASE.patches if patch.erratum} <= set(ERRATA)
    assert "process-env" in seen["manifest.deployment.env_incomplete"]
    assert patch_errata(load_manifests(KUBERNETES / "document")) == ()


def test_the_environment_and_the_base_s_patches_stand_on_page_and_summary(tmp_path: Path) -> None:
    facts = manifest_facts(BASE)
    assert facts["environment"] == "staging"
    assert any(change.startswith("environment: Production mode and emulators") for change in facts["manifest_changes"])
    run = decided(Decision.ADVANCE, result(Verdict.PASS), **facts)
    for told in (render(tmp_path, run, REGISTER), summary(run)):
        assert "staging" in told and "Production mode and emulators exclude each other" in told
    assert "本番モードとエミュレータは両立しない" in render(tmp_path, run, REGISTER, language("ja"))


def test_a_file_of_the_seven_that_is_missing_is_named(tmp_path: Path) -> None:
    assert missing_manifests(BASE) == ()
    documents = {key: doc for key, doc in BASE.documents.items() if not key.startswith(("Horizontal", "PodDis"))}
    missing = missing_manifests(msgspec.structs.replace(BASE, written=tuple(documents)))
    assert missing == ("HorizontalPodAutoscaler", "PodDisruptionBudget")
    run = decided(Decision.ADVANCE, result(Verdict.PASS), missing_manifests=missing)
    for told in (render(tmp_path, run, REGISTER), summary(run)):
        assert "PodDisruptionBudget" in told


def test_a_rollback_limit_says_how_often_it_fires_by_chance(tmp_path: Path) -> None:
    limit = result(Verdict.PASS, kind=CriterionKind.ROLLBACK)
    chance = FalseRollBack(id=limit.id, failure_ratio=0.005, samples=1200, probability=0.18934)
    run = decided(Decision.ADVANCE, limit, false_roll_backs=(chance,))
    for told in (render(tmp_path, run, REGISTER), summary(run)):
        assert "By chance alone it fires in 18.9" in told and "1,200 samples" in told
    assert "By chance alone" not in summary(decided(Decision.ADVANCE, limit))
    [week3] = false_roll_backs(load("rollout_week3"))
    assert week3.probability == pytest.approx(chance.probability, abs=0.001)


def test_a_repeated_week_says_what_repeating_does() -> None:
    assert words.attempt_words(1, ENGLISH) == ""
    told = words.attempt_words(3, ENGLISH)
    assert told.startswith("attempt 3;") and "14" in told


def test_the_closing_line_says_what_the_exit_status_means() -> None:
    held = decided(Decision.HOLD, result(Verdict.INCONCLUSIVE), exit_status=int(Exit.HOLD))
    assert conclusion(held, "reports/x").endswith(
        "(exit status 10: held: something did not pass or could not be shown; the rehearsal itself worked)"
    )
    assert "終了ステータス 10: 保留" in conclusion(held, "reports/x", language("ja"))


def test_what_counts_against_the_target_is_allowed_and_a_share_is_planned() -> None:
    lost = check_result("writes.acknowledged", "dual_write.order", Verdict.PASS, 0, 12, ())
    assert words.check_figures(lost, ENGLISH) == "0 (0 allowed)"
    walks = msgspec.structs.replace(lost, unit=Unit.WALKS, value=3.0)
    assert words.check_figures(walks, ENGLISH) == "3 walks (0 allowed)"
    assert words.check_figures(walks, language("ja")) == "散歩3件（許容 0）"
    share = msgspec.structs.replace(lost, unit=Unit.RATIO, value=0.5, planned=0.5)
    assert words.check_figures(share, ENGLISH) == "50 % (planned 50 %)"


def test_what_the_environment_lacks_is_said_in_words() -> None:
    told = words.lacking_words(["real_kubernetes", "cpu_limits", "unheard_of"])
    assert (
        str(told) == "the environment lacks real Kubernetes, enforced CPU and memory limits without scaling, unheard_of"
    )
    japanese = language("ja").message(told)
    assert "本物のKubernetes、CPUとメモリの制限の強制（係数なし）、unheard_of" in japanese
