"""Which run displaces which: a smaller, faster or narrower one hides nothing that a whole one saw, and is no whole one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from itertools import chain
from typing import Any

import pytest

from harness.base import planfile
from harness.base.data import PLANS, ROOT
from harness.cli.main import ALL, parse
from harness.model.message import english
from harness.model.verdict import Verdict
from harness.rehearsal.command import flag, flags, own, replay
from harness.rehearsal.registry import COMMANDS
from harness.rehearsals.alert_drill.types import PLAN as ALERTS
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.rehearsals.load_stages.types import LoadStagesPlan
from harness.rehearsals.migration_drill.command import PLAN as DRILL
from harness.rehearsals.mirror_stop.types import PLAN as MIRROR
from harness.signoff.making import EvidencePlan
from harness.signoff.smaller import CHOOSES, IN_PLACE, LESS, PACES, UNSAID, by_options, chosen, in_place
from harness.signoff.types import State, Stored
from scenarios import claims
from scenarios.load import load
from tests.signoff.made import judgement, stored
from tests.signoff.test_counting import OLD, WEEK, standing

PYTHON = "python -m harness"
MOVED, SCRIPT, RPO = "phase2.migration", "checklist.migration.script", "dr.rpo"
SMALL = f"{PYTHON} migration_drill --seed 1 --walks 300 --locations 20 --week 0s"
WHOLE = f"{PYTHON} migration_drill --seed 1"
LOADS = planfile.bundled("load_stages", LoadStagesPlan)

#: Options that take nothing from the document's plan, by why: what else is given is a run's own fact, or is more.
HARMLESS = {
    "where it runs, on what, how it is told": {
        "--context", "--image-registry", "--json", "--junit", "--kubeconfig", "--lang", "--list", "--manifests",
        "--migrator", "--namespace", "--no-defaults", "--on", "--own-stack", "--reports", "--seed", "--selector",
        "--service-port", "--signals-at-once", "--target", "--workers", "--yes-use-this-cluster",
    },
    "among a run's own facts": {"--fault", "--only"},
    "which plan, each whole": {"--scenario", "--task"},
    "what a team has, beside the plan": {"--alerts", "--of", "--openapi", "--repository"},
    "more than the plan": {"--fuzz", "--ingress", "--reconcile", "--resume", "--roll-back", "--size"},
    "of chaos_nightly, which judges no claim": {"--budget", "--count", "--least", "--length"},
}  # fmt: skip

# -- the options -----------------------------------------------------------------------------------------------------


def _bundled() -> RecoveryPlan:
    return planfile.bundled("dr_restore", RecoveryPlan)


def default(command: str, field: str) -> object:
    return getattr(parse([command]), field)


def longest() -> str:
    return f"{max(load(f'rollout_week{week}').window_s for week in range(1, 5)):g}s"


#: What each option is in a whole run, and a value that is less.
AMOUNTS: list[tuple[str, Callable[[], object], object]] = [
    ("alert_drill --scale", lambda: 1, 1.5),
    ("dr_restore --points", lambda: _bundled().points, 2),
    ("dr_restore --sizes", lambda: f"16MiB,{max(_bundled().sizes.sizes_bytes) // 1024**2}MiB", "4MiB,8MiB,16MiB,64MiB"),
    ("dr_restore --stall", lambda: f"{_bundled().stall.stall_s:g}s", "49min"),
    ("load_stages --pods", lambda: ",".join(map(str, LOADS.knee.pods)), "2,4,6,8"),
    ("migration_drill --walks", lambda: DRILL.walks, DRILL.walks - 1),
    ("migration_drill --locations", lambda: DRILL.locations, DRILL.locations - 1),
    ("migration_drill --kills", lambda: DRILL.kills, DRILL.kills - 1),
    ("migration_drill --week", lambda: default("migration_drill", "week"), "329s"),
    ("mirror_stop --step", lambda: f"{MIRROR.step_s:g}s", "29s"),
    ("rolling_update --times", lambda: default("rolling_update", "times"), 1),
    ("rollout --window", longest, "329s"),
    ("rollout_one_stack --window", longest, "329s"),
    ("rollout_one_stack --before", lambda: default("rollout_one_stack", "before"), "59s"),
    ("run --window", longest, "329s"),
]


@pytest.mark.parametrize(("option", "whole", "less"), AMOUNTS, ids=[option for option, _, _ in AMOUNTS])
def test_the_amounts_of_a_whole_run_are_those_of_its_plan(
    option: str, whole: Callable[[], object], less: object
) -> None:
    name = option.partition(" ")[2]
    assert by_options(f"{PYTHON} {option} {less} --seed 3") == (f"{name} {less}",)
    assert by_options(f"{PYTHON} {option}={less}") == (f"{name} {less}",)
    assert by_options(f"{PYTHON} {option} {whole()} --seed 3") == ()


def test_each_option_is_one_of_its_command_and_each_amount_is_looked_at() -> None:
    assert {option for option, _, _ in AMOUNTS} == {f"{name} {option}" for name, its in LESS.items() for option in its}
    for command, its in {**LESS, **{name: (option,) for name, option in CHOOSES.items()}}.items():
        assert set(its) <= {*flags(ALL[command].load())}, command


def test_every_option_that_asks_for_less_is_known() -> None:
    """One that is new is its command's own (``own``), is looked at here, or is named with why it takes nothing."""
    harmless = {*chain(*HARMLESS.values())}
    known = {"--weeks", *PACES, *harmless}
    for name in (each.name for each in COMMANDS):
        command = ALL[name].load()
        its = {flag(each.name) for each in fields(command) if not each.metadata["own"]}
        assert its - known == {*LESS.get(name, {})}, name
    assert not {way for claim in claims.REGISTER.values() for way in claim.state_from.commands} & {"chaos_nightly"}


def test_what_needs_no_stack_is_no_evidence() -> None:
    assert own(parse(["flag_proof", "--virtual-only"])) == ("--virtual-only",)


def test_a_run_by_default_is_whole_but_for_what_divides_the_documents_minutes() -> None:
    assert {"alert_drill": f"--scale {ALERTS.scale:g}"} == UNSAID
    for name in (each.name for each in COMMANDS):
        line = replay(parse([name, *{"run": ["rollout_week3"], "operations": ["weekly"]}.get(name, [])]))
        assert by_options(line) == ((UNSAID[name],) if name in UNSAID else ()), name
        assert chosen(line) == (), name


@pytest.mark.parametrize("command", ["run rollout_week3", "rollout", "chaos", "deploy_rehearsal", "rollout_one_stack"])
def test_another_pace_is_not_the_documents(command: str) -> None:
    typed = parse([*command.split(), "--pace", "5s", "--fetch-interval", "2s"])
    assert by_options(replay(typed)) == ("--pace 5s", "--fetch-interval 2s")


def test_a_line_that_cannot_be_read_is_no_whole_run() -> None:
    broken = f"{PYTHON} migration_drill '"
    assert by_options(broken) == (broken,) and chosen(broken) == ()
    unread = f"{PYTHON} migration_drill --walks many"
    assert by_options(unread) == (unread,)
    assert by_options("again") == by_options("") == ()


def test_a_knee_of_fewer_pods_founds_no_size_and_what_rests_on_none_is_ready() -> None:
    def loads(claim: str, pods: str) -> State:
        line = f"{PYTHON} load_stages --pods {pods}"
        return state(stored("run", judgement(claim, Verdict.PASS), rehearsal="load_stages", replay=line), claim=claim)

    for claim in ("checklist.performance.sizing", "decision.future"):
        assert (loads(claim, "2,4"), loads(claim, "2,4,6,8,10")) == (State.NOT_EXERCISED, State.READY)
    assert loads("load.stages", "2") is loads("manifest.hpa.max", "2") is State.READY


# -- which run displaces which ---------------------------------------------------------------------------------------


def drill(folder: str, line: str, verdict: Verdict, claim: str = MOVED, **more: Any) -> Stored:
    return stored(folder, judgement(claim, verdict), rehearsal="migration_drill", replay=line, **more)


def state(*found: Stored, claim: str = MOVED) -> State:
    return standing(found, claim).state


def test_a_small_run_hides_no_failure_of_a_whole_one() -> None:
    small = drill("small", SMALL, Verdict.PASS)
    assert state(drill("whole", WHOLE, Verdict.FAIL, **OLD), small) is State.NOT_READY
    assert state(drill("whole", WHOLE, Verdict.PASS, **OLD), small) is State.READY
    assert state(drill("whole", WHOLE, Verdict.INCONCLUSIVE, **OLD), small) is State.NOT_READY


def test_what_a_small_run_alone_saw_fail_counts_until_the_same_or_a_whole_one_is_made() -> None:
    worse = drill("worse", SMALL, Verdict.FAIL, **OLD)
    before = drill("whole", WHOLE, Verdict.PASS, started_utc="2026-01-07T00:00:00.000Z")
    assert state(before, worse) is State.NOT_READY
    assert state(before, worse, drill("again", SMALL, Verdict.PASS)) is State.READY
    assert state(worse, drill("other", f"{WHOLE} --walks 50", Verdict.PASS)) is State.NOT_READY
    assert state(worse, drill("whole", WHOLE, Verdict.PASS)) is State.READY
    left = drill("left", SMALL, Verdict.NOT_EXERCISED)
    assert state(before, left) is State.READY and state(worse, left) is State.NOT_READY


def test_a_small_run_is_ready_only_where_the_document_names_no_amount() -> None:
    """The short evidence: its claims say by what they were seen."""
    moved = standing([drill("small", SMALL, Verdict.PASS)], MOVED)
    assert moved.state is State.READY
    seen = "as it was seen; seen with --walks 300, --locations 20, --week 0s"
    assert english(moved.told) == f"{seen}; of the bundled migrator: a run with --migrator is of your own"
    script = standing([drill("small", SMALL, Verdict.PASS, SCRIPT)], SCRIPT)
    assert script.state is State.NOT_EXERCISED
    assert english(script.told) == "seen with --week 0s: less than it takes to judge the claim"
    assert state(drill("week", f"{WHOLE} --walks 300", Verdict.PASS, SCRIPT), claim=SCRIPT) is State.READY


def test_a_scenario_file_that_is_smaller_is_told_as_an_option_is() -> None:
    def week(folder: str, verdict: Verdict, *smaller: str, **more: Any) -> Stored:
        line = f"{PYTHON} run ./ours.yaml --seed 1"
        return stored(folder, judgement(WEEK, verdict), rehearsal="rollout_week", replay=line, smaller=smaller, **more)

    short = standing([week("short", Verdict.PASS, "window 10s", "population.pace 1s")], WEEK)
    assert short.state is State.NOT_EXERCISED
    told = "seen with window 10s, population.pace 1s: less than it takes to judge the claim"
    assert english(short.told) == told
    assert state(week("short", Verdict.FAIL, "window 10s"), claim=WEEK) is State.NOT_READY
    whole = week("whole", Verdict.FAIL, **OLD)
    assert state(whole, week("short", Verdict.PASS, "window 10s"), claim=WEEK) is State.NOT_READY
    assert state(whole, week("again", Verdict.PASS), claim=WEEK) is State.READY


def test_minutes_that_are_divided_are_not_the_documents() -> None:
    def drilled(folder: str, claim: str, verdict: Verdict, scale: str = "", **more: Any) -> Stored:
        line = f"{PYTHON} alert_drill --seed 1{scale}"
        return stored(folder, judgement(claim, verdict), rehearsal="alert_drill", replay=line, **more)

    ten, slack = "alert.latency_p95", "alert.route.slack"
    assert state(drilled("run", ten, Verdict.PASS), claim=ten) is State.NOT_EXERCISED
    assert state(drilled("run", ten, Verdict.PASS, " --scale 1"), claim=ten) is State.READY
    assert state(drilled("run", slack, Verdict.PASS), claim=slack) is State.READY
    for claim in (ten, slack):
        whole = drilled("whole", claim, Verdict.FAIL, " --scale 1", **OLD)
        assert state(whole, drilled("run", claim, Verdict.PASS), claim=claim) is State.NOT_READY
        assert state(whole, drilled("run", claim, Verdict.PASS, " --scale 1"), claim=claim) is State.READY


@pytest.mark.parametrize("hurried", ["--pace 5s", "--window 60s", "--fetch-interval 2s"])
def test_a_hurried_week_counts_for_no_week(hurried: str) -> None:
    def week(folder: str, verdict: Verdict, more: str = "", **facts: Any) -> Stored:
        line = f"{PYTHON} run rollout_week3 --on local --seed 1 {more}"
        return stored(folder, judgement(WEEK, verdict), rehearsal="rollout_week", replay=line, **facts)

    quick = week("quick", Verdict.PASS, hurried)
    assert standing([quick], WEEK).state is State.NOT_EXERCISED
    assert standing([week("whole", Verdict.FAIL, **OLD), quick], WEEK).state is State.NOT_READY
    assert standing([week("whole", Verdict.PASS, **OLD), quick], WEEK).state is State.READY


def test_some_of_the_weeks_are_whole_and_say_nothing_of_all() -> None:
    def weeks(folder: str, verdict: Verdict, more: str = "", **facts: Any) -> Stored:
        line = f"{PYTHON} rollout --on local --seed 1{more}"
        return stored(folder, judgement(check, verdict), rehearsal="rollout", replay=line, **facts)

    check = "rollout.week4.check"
    some = weeks("some", Verdict.NOT_EXERCISED, " --weeks 1-3")
    assert state(weeks("whole", Verdict.FAIL, **OLD), some, claim=check) is State.NOT_READY


def test_a_narrowed_recovery_hides_no_failure_of_a_whole_one() -> None:
    """What is judged over all the parts is another thing over some: ``dr.rpo`` is the disasters' and the stall's, too."""

    def recovery(folder: str, claim: str, verdict: Verdict, *only: str, line: str = "", **more: Any) -> Stored:
        line = f"{PYTHON} dr_restore --on local {line}"
        return stored(folder, judgement(claim, verdict), rehearsal="dr_restore", only=only, replay=line, **more)

    whole = recovery("whole", RPO, Verdict.FAIL, **OLD)
    for narrow in (
        recovery("some", RPO, Verdict.PASS, "stack"),
        recovery("some", RPO, Verdict.PASS, "*s*"),
        recovery("some", RPO, Verdict.PASS, line="--stall 5min"),
        recovery("some", RPO, Verdict.PASS, "stack", line="--stall 5min"),
    ):
        assert state(whole, narrow, claim=RPO) is State.NOT_READY
        assert state(recovery("whole", RPO, Verdict.PASS, **OLD), narrow, claim=RPO) is State.READY
        assert state(narrow, claim=RPO) is State.NOT_EXERCISED
    alone = "dr.restore.step2"  # of which the part on the stack is the only judge
    again = recovery("some", alone, Verdict.PASS, "stack")
    assert state(recovery("whole", alone, Verdict.FAIL, **OLD), again, claim=alone) is State.READY


def test_a_team_s_own_migrator_and_ours_hide_nothing_of_each_other() -> None:
    theirs = f"{WHOLE} --migrator './walk-migrate --all'"
    failed = drill("theirs", theirs, Verdict.FAIL, **OLD)
    assert state(failed, drill("ours", WHOLE, Verdict.PASS)) is State.NOT_READY
    assert state(drill("ours", WHOLE, Verdict.FAIL, **OLD), drill("theirs", theirs, Verdict.PASS)) is State.NOT_READY
    assert state(failed, drill("again", theirs, Verdict.PASS)) is State.READY
    another = drill("next", theirs.replace("walk-migrate", "walk-migrate-1.3"), Verdict.PASS)
    assert state(failed, another) is State.READY, "the next build takes the place of the one before"
    worse = drill("next", theirs.replace("walk-migrate", "walk-migrate-1.3"), Verdict.FAIL)
    assert state(drill("theirs", theirs, Verdict.PASS, **OLD), worse) is State.NOT_READY
    small = theirs.replace(WHOLE, SMALL)
    assert state(drill("small", small, Verdict.FAIL, **OLD), drill("ours", WHOLE, Verdict.PASS)) is State.NOT_READY
    told = {line: english(standing([drill("run", line, Verdict.PASS)], MOVED).told) for line in (theirs, WHOLE)}
    assert told[theirs] == "as it was seen; seen with --migrator ./walk-migrate --all"
    assert told[WHOLE] == "as it was seen; of the bundled migrator: a run with --migrator is of your own"


def test_a_run_by_the_bundled_manifests_hides_nothing_that_a_team_s_own_showed() -> None:
    """The other way round theirs take the place of ours, from which they began."""
    claim, line = "scaling.time.hpa_up", f"{PYTHON} scaling --on kind --seed 1"

    def scaled(folder: str, verdict: Verdict, more: str = "", **facts: Any) -> Stored:
        return stored(folder, judgement(claim, verdict), replay=line + more, **facts)

    theirs, failed = " --manifests deploy/prod", scaled("theirs", Verdict.FAIL, " --manifests deploy/prod", **OLD)
    assert state(failed, scaled("ours", Verdict.PASS), claim=claim) is State.NOT_READY
    assert state(failed, scaled("again", Verdict.PASS, " --manifests deploy/next"), claim=claim) is State.READY
    mended = [scaled("ours", Verdict.FAIL, **OLD), scaled("theirs", Verdict.PASS, theirs)]
    found = standing(mended, claim)
    assert found.state is State.READY, "a first try by ours is no failure of theirs"
    assert english(found.told) == "as it was seen; seen with --manifests deploy/prod"
    unseen = scaled("theirs", Verdict.NOT_EXERCISED, theirs)
    assert state(scaled("ours", Verdict.FAIL, **OLD), unseen, claim=claim) is State.NOT_READY


def test_ours_hides_nothing_that_a_team_s_own_prices_showed() -> None:
    """By ours, of another region, nothing is known of what a region charges: a plain run leaves theirs as it was."""
    claim, line = "cost.load_balancer", f"{PYTHON} cost --seed 1"

    def priced(folder: str, line: str, verdict: Verdict, **more: Any) -> Stored:
        return stored(folder, judgement(claim, verdict), rehearsal="cost", replay=line, **more)

    theirs, ours = f"{line} --prices tokyo.yaml", priced("ours", line, Verdict.NOT_EXERCISED)
    for verdict, stands in ((Verdict.PASS, State.READY), (Verdict.FAIL, State.NOT_READY)):
        found = standing([priced("theirs", theirs, verdict, **OLD), ours], claim)
        assert found.state is stands and english(found.told) == "as it was seen; seen with --prices tokyo.yaml"
    later = priced("later", f"{line} --prices tokyo-2.yaml", Verdict.PASS)
    assert state(priced("theirs", theirs, Verdict.FAIL, **OLD), later, claim=claim) is State.READY
    assert english(standing([ours], claim).told) == "as it was seen"


def test_a_smaller_run_whose_sample_carries_nothing_is_not_against_what_a_whole_one_judged() -> None:
    paced = f"{PYTHON} run rollout_week2 --on local --seed 1 --pace 50s"
    claim = "rollout.week2.success.error_ratio"

    def week(folder: str, verdict: Verdict, line: str, **facts: Any) -> Stored:
        seen = judgement(claim, verdict, erratum="rollout.no_windows" if verdict is Verdict.ERRATUM_SHOWN else "")
        return stored(folder, seen, rehearsal="rollout_week", replay=line, **facts)

    whole = {verdict: week("whole", verdict, paced.removesuffix(" --pace 50s"), **OLD) for verdict in Verdict}
    small = week("small", Verdict.INCONCLUSIVE, paced)
    found = standing([whole[Verdict.PASS], small], claim)
    assert found.state is State.READY
    assert [each.folder for each in found.evidence] == ["whole", "small"], "it is told all the same"
    assert english(found.evidence[1].refused) == (
        "inconclusive of less than a whole run, which judged it; as it was seen"
    )
    assert state(whole[Verdict.ERRATUM_SHOWN], small, claim=claim) is State.ERRATUM_SHOWN
    for nothing in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED):
        assert state(whole[nothing], small, claim=claim) is State.NOT_READY, nothing
    assert state(small, claim=claim) is State.NOT_READY
    assert state(whole[Verdict.PASS], week("small", Verdict.FAIL, paced), claim=claim) is State.NOT_READY
    again = week("again", Verdict.INCONCLUSIVE, paced.removesuffix(" --pace 50s"))
    assert state(whole[Verdict.PASS], again, claim=claim) is State.NOT_READY, "a whole one's counts"
    other = stored("other", judgement(claim, Verdict.PASS, id="x"), rehearsal="rollout_week", **OLD)
    assert state(other, small, claim=claim) is State.NOT_READY, "another check is no word on this one"


def test_what_a_team_has_in_place_of_ours_is_an_option_of_its_command() -> None:
    for command, (option, _) in IN_PLACE.items():
        assert option in flags(ALL[command].load())
    assert in_place(f"{PYTHON} migration_drill '") == in_place("") == ({}, None)


# -- the register and the short plan ---------------------------------------------------------------------------------


def test_what_a_claim_says_that_the_document_does_not_measure_are_options_of_its_commands() -> None:
    for claim in claims.REGISTER.values():
        way = claim.state_from
        its = {option for command in way.commands for option in LESS.get(command, {})}
        assert {*way.unmeasured} <= its, claim.id


def test_what_of_the_short_evidence_is_less_than_whole() -> None:
    plan = planfile.load(PLANS / "signoff_short.yaml", EvidencePlan)
    less = {line: found for step in plan.steps if (found := by_options(line := replay(parse(step.words))))}
    drill, alerts, loads = less
    assert "migration_drill" in drill and less[drill] == ("--walks 300", "--locations 20", "--week 0s")
    assert "alert_drill" in alerts and less[alerts] == ("--scale 15",)
    assert "load_stages" in loads and less[loads] == ("--pods 2",)
    whole = planfile.load(PLANS / "signoff.yaml", EvidencePlan)
    less = {step.run: found for step in whole.steps if (found := by_options(replay(parse(step.words))))}
    assert less == {"run rollout_week2 --on local --seed 1 --pace 50s": ("--pace 50s",)}, "beside the week of rollout"


@pytest.mark.parametrize("page", ["docs/signoff.md", "docs/ja/signoff.md"])
def test_the_page_names_every_option_that_makes_a_run_smaller(page: str) -> None:
    items = re.split(r"\n(?:\* |\n)", (ROOT / page).read_text("utf-8"))
    (said,) = (item for item in items if "`--kills`" in item)
    assert {*chain.from_iterable(LESS.values()), *PACES} == set(re.findall(r"`(--[a-z-]+)[ `]", said))
