"""A deploy, judged: what was promised of its commands, its pods, and of users while versions changed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from harness.base.units import Unit
from harness.judge.claimed import not_exercised, unknown
from harness.judge.leaving import NO_PRESTOP, NONE_MEANWHILE
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.judgement import Judgement
from harness.model.message import Message, joined, message, verbatim
from harness.model.scenario import Criterion, Metric
from harness.model.verdict import Verdict
from harness.rehearsals.deploy.tallies import Pods, Tally

#: What nothing does of itself: ours undoes it, which is the correction.
AUTOMATIC = "phase2.cicd"
#: The other erratum of the document's "no downtime", that no order of endpoints and signals mends.
CREATE_LOST = "deploy.create_lost_at_close"
NO_DOWNTIME = "deploy.rolling.no_downtime"
_NO_POD = message("no pod was seen to come")


def released(
    claims: Collection[str],
    ran: Sequence[Ran],
    seen: Pods,
    met: Tally,
    *,
    replicas: int,
    surge: int,
    least_calls: int,
    races: bool,
    lost_creates: int = 0,
    meanwhile: int | None = None,
) -> list[Judgement]:
    """A good version: the commands, the pods one by one, and what users met.

    ``races``: endpoints and signals race, as on a real cluster; else downtime that is not seen was not to be seen.
    ``lost_creates`` are those of ``lost_at_close`` among ``met``: a judgement of their own, and no downtime.
    ``meanwhile`` is how many failed while a pod left; not asked where it is ``None``. Where the erratum on downtime is
    among ``claims`` and was seen, it is the verdict on the promise of none.
    """
    downtime = undisturbed(NO_DOWNTIME, met, least_calls, lost_creates)
    left = without_prestop(met, lost_creates, races=races, came=bool(seen.new), meanwhile=meanwhile)
    if NO_PRESTOP in claims and left.verdict is Verdict.ERRATUM_SHOWN:
        downtime = msgspec.structs.replace(left, id=NO_DOWNTIME, claim=NO_DOWNTIME)
    pods = _one_by_one(seen, replicas=replicas, surge=surge)
    found = (_commands(ran), *pods, downtime, left, create_lost(met, lost_creates))
    known = {each.id: each for each in found}
    if not seen.new:
        known = {claim: _proves_nothing(each, _NO_POD) for claim, each in known.items()}
    return [known[claim] for claim in claims if claim in known]


def _proves_nothing(found: Judgement, why: Message) -> Judgement:
    """What did not come about is not kept; what failed did fail."""
    return unknown("", found.claim, why, *found.told) if found.verdict is Verdict.PASS else found


def _ended(one: Ran) -> Message:
    return message("`{command}` ended in {status}", command=one.command, status=str(one.status))


def _commands(ran: Sequence[Ran]) -> Judgement:
    if not ran:
        return unknown("", "cicd.set_image", message("no command was run"))
    shown = message("{count} commands", count=str(len(ran)))
    return _held("cicd.set_image", all(one.status == 0 for one in ran), shown, *map(_ended, ran))


def _one_by_one(seen: Pods, *, replicas: int, surge: int) -> list[Judgement]:
    """How the pods were replaced."""
    up, down, complete = "deploy.rolling.one_up", "deploy.rolling.one_down", "deploy.rolling.complete"
    if not seen.new:
        return [unknown("", claim, _NO_POD) for claim in (up, down, complete)]
    wrong = [name for name in seen.ready if name not in seen.new]
    most, fewest, wanted = str(seen.most), str(seen.fewest_ready), str(replicas)
    at_most = message(
        "at most {most} pods at once, terminating ones aside; replicas {replicas}, maxSurge {surge}",
        most=most,
        replicas=wanted,
        surge=str(surge),
    )
    never_fewer = message(
        "never fewer than {fewest} pods ready; replicas {replicas}, maxUnavailable 0", fewest=fewest, replicas=wanted
    )
    at_the_end = message(
        "ready at the end: {ready}; old ones among them: {old}", ready=_listed(seen.ready), old=_listed(wrong)
    )
    new = message("{count} new", count=str(len(seen.ready) - len(wrong)))
    return [
        _held(up, seen.most <= replicas + surge, message("{count} pods", count=most), at_most),
        _held(down, seen.fewest_ready >= replicas, message("{count} ready", count=fewest), never_fewer),
        _held(complete, not wrong and len(seen.ready) == replicas, new, at_the_end),
    ]


def undisturbed(claim: str, met: Tally, least_calls: int, lost_creates: int = 0) -> Judgement:
    """Nobody noticed: no call failed, of enough and all in evidence, but CREATEs that ``lost_at_close`` explains."""
    if met.calls < least_calls:
        there, needed = str(met.calls), str(least_calls)
        few = message("{due} requests and probes were due, and {needed} are needed", due=there, needed=needed)
        return unknown("", claim, few)
    failed = met.failed - lost_creates
    if not failed and met.missing:
        return unknown("", claim, met.told)
    told = [met.told]
    if lost_creates:
        aside = message(
            "{count} of them CREATEs on kept connections, judged as {claim}", count=str(lost_creates), claim=CREATE_LOST
        )
        told.append(aside)
    return _held(claim, failed == 0, _failed(failed), *told, met=met)


def without_prestop(
    met: Tally, lost_creates: int, *, races: bool, came: bool, meanwhile: int | None = None
) -> Judgement:
    """The erratum: users noticed that pods ``came`` in place of others, by what failed ``meanwhile``, as those left."""
    failed = met.failed - lost_creates
    if failed and not came:
        return unknown("", NO_PRESTOP, _NO_POD, met.told)
    if not races and not failed:
        why = message("the environment signals a pod once the endpoints have left it (unless --signals-at-once)")
        return not_exercised("", NO_PRESTOP, met.told, why)
    if failed and meanwhile is not None and meanwhile <= lost_creates:
        return shown(NO_PRESTOP, False, _failed(failed), met.told, NONE_MEANWHILE)
    return shown(NO_PRESTOP, failed > 0, _failed(failed), met.told)


def create_lost(met: Tally, lost_creates: int) -> Judgement:
    """The erratum: a CREATE lost with a kept connection. Without one it was not met: the milliseconds are few."""
    if not lost_creates:
        return not_exercised("", CREATE_LOST, message("no CREATE met the end of a kept connection"), met.told)
    told = message(
        "{lost} CREATEs of {all} calls were lost with the kept connections of pods that ended",
        lost=str(lost_creates),
        all=str(met.calls),
    )
    return shown(CREATE_LOST, True, message("{count} lost", count=str(lost_creates)), told)


def shown(erratum: str, seen: bool, value: Message, *told: Message, also: tuple[str, ...] = ()) -> Judgement:
    """An erratum of the document, which is the verdict on ``also`` too; not seen proves nothing."""
    if seen:
        told = (message("shown: {what}", what=told[0]), *told[1:])
        verdict = Verdict.ERRATUM_SHOWN
        return Judgement(
            id=erratum, claim=erratum, verdict=verdict, told=told, shown=(value,), erratum=erratum, also=also
        )
    told = (message("not seen: {what}", what=told[0]), *told[1:])
    return Judgement(id=erratum, claim=erratum, verdict=Verdict.INCONCLUSIVE, told=told, shown=(value,), also=also)


def never_ready(
    ran: Sequence[Ran], *, before_undo: Pods, seen: Pods, met: Tally, replicas: int, least_calls: int
) -> list[Judgement]:
    """After what put the version there, ``ran`` ends in a status that has to fail, an undo that has to bring everything
    back before anybody notices, and the status after it.

    ``before_undo`` are the pods until the undo began, with a while after the status in which nothing was done by hand:
    a version of which no pod is left by then was undone by somebody else.
    """
    *put, status, undo, after = ran
    not_put = next((_ended(one) for one in put if one.status), None)
    said = status.output.strip().splitlines()[-1:]
    waits = [name for name in before_undo.new if name not in before_undo.new_ready_ns]
    kept = seen.fewest_ready >= replicas and not seen.new_ready_ns and len(seen.ready) == replicas
    noticed = undisturbed(AUTOMATIC, met, least_calls)
    undone = undo.status == 0 and after.status == 0 and kept
    if noticed.verdict is not Verdict.INCONCLUSIVE or not undone:
        told = message(
            "undo ended in {undo}, rollout status after it in {after}; never fewer than {fewest} of {replicas} pods "
            "ready",
            undo=str(undo.status),
            after=str(after.status),
            fewest=str(seen.fewest_ready),
            replicas=str(replicas),
        )
        kept_all = undone and met.failed == 0
        noticed = _held(AUTOMATIC, kept_all, _failed(met.failed), told, *noticed.told, met=met)
    words = message(
        "`{command}`: {said}", command=status.command, said=verbatim(said[0]) if said else message("nothing")
    )
    waiting = message(
        "the workflow had ended, and {pods} still waited to be ready: nothing undid it",
        pods=", ".join(before_undo.waiting) or message("no pod"),
    )
    left = message("{count} pods left", count=str(len(before_undo.waiting)))
    found = [
        _held("cicd.rollout_status", status.status > 0, message("status {status}", status=str(status.status)), words),
        shown("cicd.no_undo", status.status > 0 and bool(before_undo.waiting), left, waiting, also=(AUTOMATIC,)),
        noticed,
    ]
    if not_put is not None:
        found[1] = unknown("", "cicd.no_undo", not_put)
    if waits and not_put is None:
        return found
    why = not_put or message("no pod was seen to wait to be ready")
    return [_proves_nothing(each, why) for each in found]


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge had done: which limit fired and when, when the undo was said, and when it was complete."""

    fired: Judgement | None
    undo_ns: int | None = None
    done_ns: int | None = None
    ran: tuple[Ran, ...] = ()


def broke(fired: Iterable[Judgement]) -> Judgement | None:
    """The limit that fired first."""
    found = [each for each in fired if each.verdict is Verdict.FAIL]
    return min(found, key=lambda each: each.fired_at_ns or 0, default=None)


def slow_limit_ms(limits: Iterable[Criterion], fired: Judgement | None) -> float | None:
    """Above what an answer is bad, where a limit of latency fired."""
    latency = [each.threshold for each in limits if fired is not None and each.id == fired.id
               and each.metric is Metric.LATENCY_P95]  # fmt: skip
    return latency[0] if latency else None


def limit_broken(
    claim: str,
    undone: Undone,
    met: Tally,
    after: Tally,
    *,
    within_s: float,
    least_after: int,
    usual: int,
    wrong: int = 0,
) -> Judgement:
    """A version that is ready and bad: its last answer within ``within_s`` of its first bad one, and ``after`` it was
    gone no more than ``usual`` bad ones, ``wrong`` of which were not late but errors: of those there may be none then.
    What is not in evidence may have been an error at any time.
    """
    if met.first_ns is None:
        return unknown("", claim, message("the version gave no bad answer among {all}", all=str(met.calls)))
    if undone.fired is None or undone.fired.fired_at_ns is None or undone.undo_ns is None or undone.done_ns is None:
        silent = message("no limit fired, though {counts}", counts=met.told)
        # Those that are missing may be bad as well; where they are fewer, they do not keep a limit from firing.
        return (
            unknown("", claim, silent) if met.missing >= met.failed else _held(claim, False, message("never"), silent)
        )
    bad_s = met.bad_s or 0.0
    errors = message("{count} of these were errors: a twentieth may be late, not wrong", count=str(wrong))
    told = (
        message("{limit} {why}", limit=undone.fired.id, why=joined(undone.fired.told)),
        message(
            "fired {fired} s after the first bad answer, undo complete after {undo} s, last bad answer {bad} s after "
            "the first: {failed} of {all} were bad",
            fired=f"{(undone.fired.fired_at_ns - met.first_ns) / NS:.1f}",
            undo=f"{(undone.done_ns - undone.undo_ns) / NS:.1f}",
            bad=f"{bad_s:.1f}",
            failed=str(met.failed),
            all=str(met.calls),
        ),
        *([met.told] if met.missing else ()),
        message("then {counts}", counts=after.told),
        *([errors] if wrong else ()),
    )
    undid = all(one.status == 0 for one in undone.ran)
    good = undid and not wrong and after.failed <= usual and bad_s <= within_s
    untold = after.calls < least_after or (good and met.missing + after.missing > 0)
    return Judgement(
        id=claim,
        claim=claim,
        verdict=Verdict.INCONCLUSIVE if untold else Verdict.PASS if good else Verdict.FAIL,
        told=told,
        value=bad_s,
        limit=within_s,
        unit=Unit.SECONDS,
        samples=met.calls,
    )


def breaking_schema(
    claim: str,
    undone: Undone,
    *,
    met: Tally,
    past_undo: Tally,
    mended: Tally,
    least_calls: int,
    still: int | None = None,
) -> Judgement:
    """The erratum: old pods fail, undo does not help, only the schema taken back does. The undo has to have been taken;
    that the old version did not become ready after it, with that schema, is told. Of the bad answers ``past_undo`` as
    many came ``still`` in the later half: where none did, the undo helped.
    """
    failed = [_ended(one) for one in undone.ran if one.status]
    words = {"failed": str(past_undo.failed), "all": str(past_undo.calls)}
    after = message("after the undo was complete {failed} of {all} still failed", **words)
    if failed:
        after = message("after the undo, which did not complete, {failed} of {all} still failed", **words)
    still = past_undo.failed if still is None else still
    helped = past_undo.failed > 0 and not still
    told = (
        *failed,
        met.told,
        after,
        *([message("none of these in the later half of that time")] if helped else ()),
        message("with the schema taken back {counts}", counts=mended.told),
    )
    if any(one.status for one in undone.ran[:1]) or mended.calls < least_calls or mended.missing:
        return unknown("", claim, *told)
    seen = undone.fired is not None and undone.done_ns is not None and still > 0 and mended.failed == 0
    return shown(claim, seen, _failed(met.failed), *told)


def side_by_side(written: Mapping[str, int], old: Iterable[str], new: Iterable[str]) -> Message:
    """Who wrote into the new column, for people; ``written`` by pod."""
    old, new = set(old), set(new)
    return message(
        "rows with the new column: {old} inserted by old pods, {new} by new ones",
        old=str(sum(count for pod, count in written.items() if pod in old)),
        new=str(sum(count for pod, count in written.items() if pod in new)),
    )


def _held(claim: str, kept: bool, value: Message, *told: Message, met: Tally | None = None) -> Judgement:
    verdict = Verdict.PASS if kept else Verdict.FAIL
    samples = met.calls if met is not None else 0
    return Judgement(id=claim, claim=claim, verdict=verdict, told=told, shown=(value,), samples=samples)


def _failed(count: int) -> Message:
    return message("{count} failed", count=str(count))


def _listed(names: Sequence[str]) -> str | Message:
    return ", ".join(names) or message("none")
