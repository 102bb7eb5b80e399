"""What is meant to differ between a run of before and the same judged and drawn by today's code, each with its reason.

An entry has to occur in every run that it names: one that no longer does fails the tests, as does a difference that
none names. ``gone`` and ``new`` are judgements; every other word is a field of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.checks.as_printed import PRINTED
from harness.checks.invariants import CHECKS, OFF
from harness.rehearsals.rollout.judge_beside import IN_ONE_PLACE

GONE, NEW = "gone", "new"


@dataclass(frozen=True)
class Differs:
    """In ``runs``, judgements of that ``part`` and ``id`` (all three may have ``*``) differ in ``what``."""

    runs: str
    part: str
    id: str
    what: str
    why: str

    def covers(self, run: str, part: str, id_: str, what: str) -> bool:
        """Whether it names that difference."""
        return self.what == what and all(map(fnmatchcase, (run, part, id_), (self.runs, self.part, self.id)))


@dataclass(frozen=True)
class Missing:
    """A number of the page of before in ``runs`` that does not stand on today's."""

    runs: str
    number: str
    why: str


@dataclass(frozen=True)
class Came:
    """A case of the JUnit document of before in ``runs`` that came out otherwise."""

    runs: str
    case: str
    why: str


_STEPS = "the steps of the roll back were a list of claims beside the judgements; now each says what became of it"
_PATCH = "an erratum that a patch mends was told beside the judgements; it is an observation"
_ERRATUM = "an erratum that was met was told beside the judgements; it is an observation"
_WEEKS = "a rollout judges its weeks; the criteria are those of the weeks' own runs, and stand on its page"
_GROUPED = "a number has a comma before its thousands wherever it stands"
_JOINED = "the parts of a reason are joined by semicolons everywhere"
_BOUND = "a bound is one of 95 %; the client's rule is said in the reason"
_UNIT = "a judgement that has no value has no unit"
_CASE = "what was looked at in a case stands on the page, and its finding counts it"
_ENDED = "the reason says how the schedule ended where there is nothing else to say"
_FLAWS = "requests that failed are flaws, as everywhere"
_READS = "answers of the load in steps are held against what was acknowledged; rows of before do not have them"
_CLAIMS = "a claim that was exercised has its verdict, too"
_CONTRACT = "a good answer does not say where it came from: it is the contract's, and Firestore away shows the rest"
_UNSAID = "a check of which no word is left holds, and says so"
_CUT = "it left less than its plan asks for: what that is to rest on is not in evidence, and holds"
_NO_LOGS = "of its logs and manifests nothing was kept: what is said of them is not in evidence, and holds"
_SOME_MADE = "it was broken before every disaster was made, and passed of those that were"
_FEW = "a step passes with requests enough to carry the bound of its errors alone"
_PLANTED = "a test made the finding up without an erratum, and what is shown is named"
_THOUSANDS = "no downtime is judged by the 3,000 calls of its own text"

#: Weeks with everybody on the API and nothing broken on purpose: the document's objectives are judged of them.
_WITH_EVERYBODY = ("week1_virtual_broke", "week1_virtual_hold", "week3_virtual_roll_back")
#: The weeks in which some users have the flag off.
_SOME_WITHOUT_THE_FLAG = ("week2_virtual_advance", "week3_advance", "week3_kind_advance", "week3_roll_back")

_ON_PROCESSES = ("week3_advance", "week3_kind_advance", "week3_roll_back")
#: The weeks whose answers and documents are all as they have to be.
_WELL_SERVED = ("week1_virtual_hold", "week2_virtual_advance", "week3_*")
#: Those in which the API answered a walk with locations, too.
_WITH_LOCATIONS = (
    "week1_virtual_hold", "week2_virtual_advance", "week3_advance", "week3_kind_advance", "week3_roll_back",
)  # fmt: skip

JUDGEMENTS = (
    Differs("week1_*", "", "rollout.rollback.step*", NEW, _STEPS),
    Differs("week2_*", "", "rollout.rollback.step*", NEW, _STEPS),
    Differs("week3_*", "", "rollout.rollback.step*", NEW, _STEPS),
    Differs("week*", "", "patch:*", NEW, _PATCH),
    Differs("week*", "", "sli.*", NEW, _CLAIMS),
    *(Differs(week, "", "slo.*", NEW, _CLAIMS) for week in _WITH_EVERYBODY),
    Differs("week*", "", "rollout.week?.check", NEW, _CLAIMS),
    Differs("rollout_*", "", "rollout.week4.check", NEW, _CLAIMS),
    Differs("load_stages_passes", "", "load.target_qps", "claims", _CLAIMS),
    Differs("week1_virtual_hold", "", "flag.share", "claims", _CLAIMS),
    *(Differs(week, "", "reads.acknowledged", "claims", _CONTRACT) for week in _WELL_SERVED),
    Differs("week2_*", "", "flag.share", "claims", _CLAIMS),
    Differs("week3_*", "", "flag.share", "claims", _CLAIMS),
    *(Differs(week, "", "migration.*", NEW, _CLAIMS) for week in _SOME_WITHOUT_THE_FLAG),
    Differs("week1_virtual_broke", "", "flag.*", NEW, "what the flag did is judged of a run that broke, too"),
    *(Differs("week1_virtual_broke", "", check, NEW, _UNSAID) for check in CHECKS),
    Differs("rollout_*", "week ?, attempt 1", "*", GONE, _WEEKS),
    Differs("rollout_*", "week?", "week?", NEW, _WEEKS),
    Differs("load_stages_passes", "", "reads.acknowledged", NEW, _READS),
    *(
        Differs("load_stages_passes", "", each, what, _FEW)
        for each in ("load.target_qps", "load.stages", "load.pod_capacity.of_target")
        for what in ("verdict", "holds")
    ),
    *(Differs("load_stages_passes", "", "load.stages", what, _FEW) for what in ("reason", "shown")),
    *(Differs("load_stages_passes", "steps", each, "verdict", _FEW) for each in ("users_500", "capacity")),
    *(
        Differs(week, "", "reads.acknowledged", "reason", _GROUPED)
        for week in ("week2_virtual_advance", "week3_advance", "week3_kind_advance", "week3_roll_back")
    ),
    Differs("secret_rotation_judged", "", "reads.acknowledged", NEW, _READS),
    Differs("secret_rotation_judged", "naive", "iac.csi_rotation_gap", "reason", _JOINED),
    Differs("rolling_update_nothing", "*", "rolling_update.?", NEW, "both parts are one run, and what was not made is told"),
    Differs("chaos_passes", "3", "zone_loss", "value", "what was not exercised has no value, and none of it failed"),
    Differs("chaos_passes", "?", "*", "reason", "it is said by the facts that the rules of an experiment read"),
    Differs("chaos_passes", "?", "*", "unit", "how many requests failed is a count, which has no unit"),
    Differs("chaos_nightly_*", "", "seed *", "unit", _FLAWS),
    Differs("chaos_nightly_*", "", "seed *", "reason", _ENDED),
    Differs("chaos_nightly_interrupted", "", "seed *", NEW, "a schedule that was asked for and is not there is told"),
    Differs("chaos_nightly_*", "", "schedules", NEW, "a night in which too little was done holds"),
    Differs("conformance_[in]*", "", "*", NEW, "a check of the contract that was not made is left open, and says so"),
    *(
        Differs("dr_restore_[afk]*", "", each, what, _CUT)
        for each in ("rpo.disasters", "rpo.streaming", "restore.verified", "backup.retention")
        for what in ("verdict", "holds", "reason")
    ),
    *(Differs("dr_restore_[ak]*", "", "restore.points", what, _CUT) for what in ("verdict", "holds", "reason")),
    Differs("dr_restore_interrupted", "", "rpo.streaming", NEW, _CUT),
    *(Differs("flag_proof_words", "virtual", "virtual.*.open.*", what, _CUT) for what in ("verdict", "holds", "reason")),
    Differs("flag_proof_words", "virtual", "virtual.12h.open.on_to_off", "erratum", _CUT),
    Differs("flag_proof_words", "virtual", "virtual.*", NEW, _CUT),
    *(Differs("rolling_update_nothing", "", each, NEW, _UNSAID) for each in (*CHECKS, OFF)),
    Differs("network_nothing", "", "*", "reason", "a run that its environment cannot have is told by one rule"),
    Differs("network_interrupted", "", "reads.acknowledged", NEW, _UNSAID),
    *(Differs(week, "", each, NEW, _NO_LOGS) for week in _ON_PROCESSES for each in (IN_ONE_PLACE, *PRINTED)),
    Differs("secret_rotation_judged", "as_written", "security.csi.volume_alone", "shown", "the same in a few more words"),
    Differs("flag_proof_*", "*", "*", "bound", _BOUND),
    Differs("flag_proof_words", "real", "real.60s.on_to_off", "limit", "where times are scaled the rule is the limit"),
    Differs("flag_proof_words", "real", "*.*", NEW, "a claim that the plan names and nothing judged holds"),
    Differs("dr_restore_*", "", "restore.*", "unit", _UNIT),
    *(Differs("dr_restore_interrupted", "", each, what, _SOME_MADE) for each in ("rpo.disasters", "restore.verified") for what in ("verdict", "reason", "holds")),
    Differs("dr_restore_*", "", "dr.backup.cross_region", NEW, "what is outside the rehearsal is judged, and gates nothing"),
    Differs("dr_restore_*", "*_*", "*", GONE, _CASE),
    Differs("dr_restore_*", "not exercised", "*", GONE, "parts that were not asked for are named on the page"),
    Differs("dr_restore_[!i]*", "", "backup.*", "unit", _UNIT),
    Differs("dr_restore_[!i]*", "", "erratum:*", NEW, _ERRATUM),
    *(
        Differs(runs, "", each, "reason", _JOINED)
        for runs in ("dr_restore_all_kinds", "dr_restore_fails", "dr_restore_kind")
        for each in ("rpo.archive_only", "rpo.stalled_archiver", "procedure.*")
    ),
    *(
        Differs(runs, "", "procedure.*", what, why)
        for runs in ("dr_restore_all_kinds", "dr_restore_fails", "dr_restore_kind")
        for what, why in (("unit", _UNIT), ("erratum", "the judgement that shows an erratum names it"))
    ),
    *(
        Differs("deploy_held_by_a_check", "good", "deploy.rolling.no_downtime", what, _THOUSANDS)
        for what in ("verdict", "holds", "reason", "shown")
    ),
    Differs("deploy_held_by_a_check", "never_ready", "cicd.no_undo", "claims", "nothing undoes it: no automatic roll back"),
    Differs("scaling_all_kinds", "p", "claim.erratum_shown", "erratum", _PLANTED),
    Differs("deploy_all_kinds", "errors", "claim.erratum_shown", "erratum", _PLANTED),
    Differs("network_all_kinds", "", "check.erratum_shown", "erratum", _PLANTED),
    Differs("network_all_kinds", "paths", "*", GONE, "a path stands on the page; the findings judge them"),
)  # fmt: skip

#: Of errata: ``seen`` is what was seen of one.
ERRATA = (
    Differs("flag_proof_words", "", "rollout.rollback.twelve_hours", GONE, _CUT),
    *(
        Differs(runs, "", each, "seen", _JOINED)
        for runs in ("dr_restore_all_kinds", "dr_restore_fails", "dr_restore_kind")
        for each in ("dr.archive_age_unwatched", "dr.configmap_changes_nothing")
    ),
    Differs("secret_rotation_judged", "", "iac.csi_rotation_gap", "seen", _JOINED),
    *(
        Differs(runs, "", "planted", NEW, _PLANTED)
        for runs in ("deploy_all_kinds", "network_all_kinds", "scaling_all_kinds")
    ),
    *(Differs(week, "", "migration.firestore_is_written", NEW, _CLAIMS) for week in _SOME_WITHOUT_THE_FLAG),
)

_COUNTS = "how many verdicts of a kind there are is seen, and counted by nobody"
_MINUTES = "times are shown in seconds"
_COURSE = "the course shows a moment as minutes and seconds"

_RPO = "the table of disasters shows what was lost to hundredths of a second"
_QUERY = "a query ends where the judge was asked; until the decision was written down it gave another rate than stated"
_END = "the run's exit status, which a test made up"
_NOBODY = "in virtual time nothing stands in for anything: it is the target's code and ports of memory"
_GATHERED = "what is said of many, one after the other, is one moment, and fewer of them are left to the evidence"
_UNBOUND = "a column that no judgement has anything for is left out"

PAGE = (
    Missing("chaos_nightly_broke", "3", _COUNTS),
    Missing("deploy_held_by_a_check", "7", _COUNTS),
    Missing("network_nothing", "14", _COUNTS),
    Missing("secret_rotation_nothing", "9", _COUNTS),
    Missing("zone_loss_nothing", "4", _COUNTS),
    Missing("deploy_all_kinds", "10", _END),
    Missing("deploy_all_kinds", "12.3", "a time of failures that a test made up, with no evidence of them"),
    *(Missing("dr_restore_disasters", each, _RPO) for each in ("0.0989", "0.385", "0.677")),
    Missing("dr_restore_disasters", "95", _UNBOUND),
    Missing("dr_restore_interrupted", "95", _UNBOUND),
    Missing("dr_restore_all_kinds", "55", _MINUTES),
    *(Missing("dr_restore_fails", each, _MINUTES) for each in ("55", "8.33", "8.92", "10.6")),
    *(Missing("dr_restore_kind", each, _MINUTES) for each in ("55", "8.33", "8.92", "10.6")),
    Missing("mirror_stop_all_kinds", "10", _END),
    *(Missing("scaling_parts", each, _COURSE) for each in ("31", "36", "38", "40", "46", "50")),
    *(Missing(each, "15", _NOBODY) for each in ("week1_virtual_*", "week3_virtual_roll_back")),
    Missing("flag_proof_virtual", "20", _COUNTS),
    Missing("week1_virtual_broke", "1061160000000", _QUERY),
    *(Missing("week3_roll_back", each, _QUERY) for each in ("2960298083374", "8.49353349")),
    *(Missing("week3_roll_back", each, _GATHERED) for each in ("18", "22", "25", "28", "481")),
)

_BROKE = "what broke is an error, and no failure of the target's"
_OPEN = "a run that was never judged has no decision: an error, and no failure of the target's"

CASES = (
    *(
        Came("dr_restore_[afk]*", each, _CUT)
        for each in ("rpo.disasters", "rpo.streaming", "restore.verified", "backup.retention")
    ),
    Came("dr_restore_[ak]*", "restore.points", _CUT),
    *(Came(run, "decision", _CUT) for run in ("dr_restore_kind", "week3_advance", "week3_kind_advance")),
    *(Came("flag_proof_words", f"virtual.{each}.open.on_to_off", _CUT) for each in ("60s", "12h")),
    *(Came(runs, "run", _BROKE) for runs in ("chaos_nightly_[bi]*", "deploy_all_kinds", "dr_restore_interrupted")),
    *(Came(runs, "run", _BROKE) for runs in ("network_all_kinds", "network_interrupted", "scaling_all_kinds")),
    *(Came(runs, "decision", _OPEN) for runs in ("conformance_interrupted", "conformance_not_started")),
    *(Came(runs, "decision", _OPEN) for runs in ("dr_restore_interrupted", "rollout_interrupted")),
    *(Came("dr_restore_interrupted", each, _SOME_MADE) for each in ("rpo.disasters", "restore.verified")),
    *(
        Came("load_stages_passes", each, _FEW)
        for each in ("load.target_qps", "load.stages", "load.pod_capacity.of_target")
    ),
    Came("deploy_held_by_a_check", "deploy.rolling.no_downtime", _THOUSANDS),
    Came("flag_proof_words", "decision", "what the plan names and nothing judged holds"),
    Came("rolling_update_nothing", "exercised", "what was to be made and was not is inconclusive, and is told"),
    Came("rollout_hold", "week2", "a week that held with nothing worse than an inconclusive criterion did not fail"),
)

#: Runs whose end a test made up as no run ends (README.md), and of which nothing is to be learned.
ENDS_OF_NO_RUN = (
    "deploy_all_kinds",
    "flag_proof_words",
    "mirror_stop_all_kinds",
    "network_all_kinds",
    "scaling_all_kinds",
)
#: Runs that end otherwise today.
ENDS = {
    "load_stages_passes": f"it holds: {_READS}", "dr_restore_kind": f"it holds: {_CUT}",
    **dict.fromkeys(("week3_advance", "week3_kind_advance"), f"it holds: {_NO_LOGS}"),
}  # fmt: skip
