"""The recoveries of before: ``dr.json``. Of all parts but the disasters it kept the findings alone.

What a test had planted for them stands here once more, as the findings' own words have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from harness.base import planfile
from harness.model.message import Message, verbatim
from harness.rehearsals.dr_restore.cases import CaseResult, Check, Overhead, Prediction
from harness.rehearsals.dr_restore.procedure import Reached, Written
from harness.rehearsals.dr_restore.sizes import Sizes
from harness.rehearsals.dr_restore.stack_result import AsCorrected, AsWritten, OnStack, RecoveryDetails, Restart
from harness.rehearsals.dr_restore.traffic import Calls
from harness.rehearsals.dr_restore.types import PARTS, RecoveryPlan
from tests.corpus import again
from tests.corpus.again import Again, Json
from tests.recovery.stalls import lost

#: Further checks that a finding counted, and of which nobody wrote down what they saw.
_UNTOLD = Check(name=verbatim("kept as a number alone"), ok=True, told=verbatim("as it was"))
_MAJOR = 15
_GOOD = Calls(probes=320, good=320, bound=0.9907, requests=300, errors=0)
_DARK = Calls(probes=250, good=0, bound=0.0, requests=250, errors=250)


def cases(old: Json) -> list[CaseResult]:
    """The disasters."""
    return msgspec.convert([_case(each) for each in old["cases"]], list[CaseResult])


def _case(old: Json) -> Json:
    checks = [{**each, "name": _words(each["name"]), "told": _words(each["told"])} for each in old["checks"]]
    return {**old, "title": _words(old["title"]), "point": _words(old["point"]), "checks": checks}


def _words(text: str) -> Json:
    [found] = again.words(text)
    return found


def checks_of(finding: Json | None) -> list[Check]:
    """Those that a finding tells, "name: told; name: told", and as many more as it counted."""
    if finding is None:
        return []
    told = [each.partition(": ") for each in re.split(r"; (?=backups )", finding["reason"])]
    found = [Check(name=verbatim(name), ok=finding["verdict"] == "pass", told=verbatim(seen)) for name, _, seen in told]
    return [*found, *[_UNTOLD] * (finding["samples"] - len(found))]


def plan(run: str, old: Json) -> RecoveryPlan:
    """As it was kept, or the bundled one; ``--only`` named its parts."""
    only = re.search(r"--only (\S+)", old["replay"])
    parts = tuple(only[1].split(",")) if only else PARTS
    if not (again.folder(run) / "plan.json").is_file():
        bundled, made = planfile.bundled("dr_restore", RecoveryPlan), {each["id"] for each in old["cases"]}
        disasters = tuple(each for each in bundled.disasters if each.value in made) or bundled.disasters
        return msgspec.structs.replace(bundled, parts=parts, disasters=disasters)
    return msgspec.convert({**_plan_of_before(again.read(run, "plan.json")), "parts": parts}, RecoveryPlan)


def _plan_of_before(kept: Json) -> Json:
    """What it says, where today's plan says it."""
    sizes, traffic, stays = kept["sizes"], kept["traffic"], ("sentinel_every_s", "disasters", "points", "stall")
    audience, *none = traffic["population"]["audiences"]
    assert not none
    return {
        **{name: kept[name] for name in ("name", "title", "claims", *stays)},
        "limits": {name: kept[name] for name in ("rto_s", "rpo_s", "restart_s", "streaming_rpo_s", "overhead_s")},
        "backup": {
            **{name: kept[name] for name in ("terraform_start_time", "retention_s", "days")},
            "at": kept["backup_at"], "zone": kept["backup_zone"],
        },
        "sizes": {
            **{name: sizes[name] for name in ("wal_share", "production_name")},
            "sizes": sizes["sizes_bytes"], "production_size": sizes["production_bytes"],
        },
        "traffic": {
            **{name: traffic[name] for name in traffic if name not in {"population", "probes"}},
            "users": audience["users"], "pace_s": traffic["population"]["pace_s"],
            "probe_rate_per_s": traffic["probes"]["rate_per_s"],
        },
    }  # fmt: skip


def recovery(run: str) -> Again:
    """A run, whatever parts it had."""
    old = again.document(run)
    found, asked = {each["id"]: each for each in old["findings"]}, plan(run, old)
    schedule = [*checks_of(found.get("backup.schedule")), *checks_of(found.get("backup.retention"))]
    details = RecoveryDetails(
        machine=old["machine"],
        database=old["database"],
        database_major=_MAJOR,
        ended=[part for part in asked.parts if part in old["timings"] or old["prediction"]],
        cases=cases(old),
        schedule=schedule or None,
        points=checks_of(found.get("restore.points")) or None,
        stalled=lost(asked.stall) if "rpo.archive_only" in found else None,
        sizes=_sizes(old["prediction"]) if old["prediction"] else None,
        stack=_stack(cases(old)[0]) if "rto.measured" in found else None,
    )
    return Again("dr_restore", asked, again.seen(run, details))


def _sizes(prediction: Json) -> Sizes:
    overhead = Overhead(size_bytes=2**27, restore_s=3, replay_s=3, switch_s=1, raw_copy_s=2, raw_replay_s=2)
    return Sizes(prediction=msgspec.convert(prediction, Prediction), overhead=overhead)


def _stack(case: CaseResult) -> OnStack:
    reflected: Message = verbatim("ConfigMap/app-config db_host: localhost, as before")
    return OnStack(
        case=msgspec.structs.replace(case, id="stack_lost_data_folder"),
        lost_archiving="on",
        restored_archiving="off",
        written=AsWritten(
            steps=Written(reached=Reached.RESTART, told=(reflected,)), watched_s=25, sessions=0, seen=_DARK
        ),
        corrected=AsCorrected(first_good_s=14.8, waited_s=30, ready_s=15, sessions=4, seen=_GOOD),
        verify_s=0.4,
        register_s=0.2,
        restart=Restart(took_s=21, seen=_GOOD),
        before=_GOOD,
        after=_GOOD,
    )


RUNS: dict[str, Callable[[str], Again]] = dict.fromkeys(
    (
        "dr_restore_all_kinds",
        "dr_restore_disasters",
        "dr_restore_fails",
        "dr_restore_interrupted",
        "dr_restore_kind",
    ),
    recovery,
)
