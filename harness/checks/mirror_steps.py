"""A step of a stepwise stop of the mirror: the share that it mirrors, and what a roll back would then lose. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from harness.base.units import Unit
from harness.checks.dual_write import Comparison, Flaw, StoredWalk, by_user, compare
from harness.judge.bounds import ratio_lower, ratio_upper
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message
from harness.model.mirror import MirrorStep, UserLoss
from harness.model.section import Lines, Section, table_of
from harness.model.verdict import Verdict
from harness.stack.firebase.documents import Fields

CLAIM_FALLBACK = "dual_write.diagram"  # PostgreSQL (Primary), Firestore (Fallback)
CLAIM_STOP = "dual_write.stop"
ERRATUM_STOP = "dual_write.stop_ends_rollback"
_CONFIDENCE = 0.995  # a share that is as asked for is called wrong in at most 1 % of runs
_EXAMPLES = 5


def figures(
    walks: list[StoredWalk], found: dict[str, Fields], deleted: dict[str, str], share_percent: int, since: datetime
) -> MirrorStep:
    """What a step left, from the walks of PostgreSQL, their documents, and the walks that users deleted. ``since``: its
    begin."""
    compared = compare(walks, found, deleted, moving=True)
    unwritten = {each.walk_id for each in compared.findings if each.flaw in (Flaw.MISSING, Flaw.STALE)}
    written = [walk.id for walk in walks if walk.updated_at is not None and walk.updated_at >= since]
    losses = by_user(compared.findings)
    return MirrorStep(
        share_percent=share_percent,
        walks=len(walks),
        written=len(written),
        mirrored=sum(walk_id not in unwritten for walk_id in written),
        missing=compared.count(Flaw.MISSING),
        stale=compared.count(Flaw.STALE),
        come_back=compared.count(Flaw.EXTRA),
        different=compared.count(Flaw.DIFFERENT),
        lost_locations=sum(locations for _, locations in losses.values()),
        losses=tuple(UserLoss(user=user, walks=count, locations=lost) for user, (count, lost) in losses.items()),
        examples=_examples(compared),
    )


def _examples(compared: Comparison) -> Told:
    return tuple(finding.told for finding in compared.findings[:_EXAMPLES])


def judged(steps: Iterable[MirrorStep]) -> Iterator[Judgement]:
    """Both, of each step."""
    for step in steps:
        yield mirrored(step)
        yield rolled_back(step)


def expected(shares_percent: Iterable[int], part: str = "") -> list[Expected]:
    """What each share that the mirror is brought to is judged by."""
    of_each = {"mirror.share": CLAIM_STOP, "mirror.rollback_after": CLAIM_FALLBACK}
    return [Expected(part, f"{id_}_{share}", claim) for share in shares_percent for id_, claim in of_each.items()]


def mirrored(step: MirrorStep) -> Judgement:
    """Is the share that was asked for the share that is mirrored? It passes only where other shares would not have:
    all or nothing where a part is asked for, and a half where all or nothing is."""
    share = step.share_percent / 100
    counts = {"mirrored": str(step.mirrored), "written": str(step.written), "share": str(step.share_percent)}
    told = [message("{mirrored} of {written} walks written at {share} % reached Firestore", **counts)]
    if not step.written:
        verdict = Verdict.INCONCLUSIVE
    else:
        low = ratio_lower(step.mirrored, step.written, _CONFIDENCE)
        high = ratio_upper(step.mirrored, step.written, _CONFIDENCE)
        kept = step.mirrored == share * step.written if share in (0.0, 1.0) else low <= share <= high
        enough = _tells(share, step.written)
        verdict = Verdict.FAIL if not kept else Verdict.PASS if enough else Verdict.INCONCLUSIVE
        if 0 < share < 1 or not enough:
            told.append(message("a share of {low} to {high} %", low=f"{low * 100:.0f}", high=f"{high * 100:.0f}"))
        if not enough:
            told.append(message("too few walks to tell it from another share"))
    return Judgement(
        id=f"mirror.share_{step.share_percent}",
        claim=CLAIM_STOP,
        verdict=verdict,
        asked=(message("{share} % of the written walks are mirrored", share=str(step.share_percent)),),
        told=tuple(told),
        value=step.mirrored / step.written if step.written else None,
        limit=share,
        unit=Unit.RATIO,
        samples=step.written,
    )


def _tells(share: float, written: int) -> bool:
    """Whether so many walks tell the share from all and from nothing; those from a half."""
    nothing, all_ = ratio_upper(0, written, _CONFIDENCE), ratio_lower(written, written, _CONFIDENCE)
    return nothing < share < all_ if 0 < share < 1 else nothing < 0.5 < all_


def rolled_back(step: MirrorStep) -> Judgement:
    """Would a roll back after the step lose nothing? Once less than all is mirrored it loses walks, says the register;
    a document that is there and differs is no loss of that kind, and neither is anything lost while all is mirrored.
    """
    lost = step.missing + step.stale + step.come_back + step.different
    nothing_lost = Verdict.PASS if step.walks else Verdict.INCONCLUSIVE
    as_told = bool(lost) and step.share_percent < 100 and not step.different
    return Judgement(
        id=f"mirror.rollback_after_{step.share_percent}",
        claim=CLAIM_FALLBACK,
        verdict=Verdict.ERRATUM_SHOWN if as_told else Verdict.FAIL if lost else nothing_lost,
        asked=(message("a flag-off after {share} % loses nothing", share=str(step.share_percent)),),
        told=(_loss(step),),
        value=lost if step.walks else None,
        limit=0,
        unit=Unit.WALKS,
        samples=step.walks,
        erratum=ERRATUM_STOP if as_told else "",
        examples=step.examples,
    )


def _loss(step: MirrorStep) -> Message:
    return message(
        "a flag-off after {share} % would lose {missing} walks and the last state of {stale} more ({locations} "
        "locations, {users} users), and bring {back} deleted walks back; {different} documents differ; of {walks} "
        "walks",
        share=str(step.share_percent),
        missing=str(step.missing),
        stale=str(step.stale),
        locations=str(step.lost_locations),
        users=str(len(step.losses)),
        back=str(step.come_back),
        different=str(step.different),
        walks=str(step.walks),
    )


def sections(steps: Sequence[MirrorStep]) -> Iterator[Section]:
    """What each step leaves, and what each user would lose after it."""
    if steps:
        yield table_of(
            message("What each step leaves"),
            steps,
            (message("mirrored share"), lambda step: f"{step.share_percent} %"),
            (message("walks"), lambda step: f"{step.walks:,}"),
            (message("written in the step"), lambda step: f"{step.written:,}"),
            (message("reached Firestore"), lambda step: f"{step.mirrored:,}"),
            (message("missing"), lambda step: f"{step.missing:,}"),
            (message("of an earlier state"), lambda step: f"{step.stale:,}"),
            (message("deleted, and back"), lambda step: f"{step.come_back:,}"),
            (message("different"), lambda step: f"{step.different:,}"),
            (message("locations lost"), lambda step: f"{step.lost_locations:,}"),
            numbers=tuple(range(1, 9)),
        )
    for step in steps:
        if step.losses:
            yield Lines(
                title=message("A flag-off after {share} % would lose", share=str(step.share_percent)),
                lines=tuple(map(_of_user, step.losses)),
            )


def _of_user(loss: UserLoss) -> Message:
    return message(
        "{user}: {walks} walks ({locations} locations)",
        user=loss.user,
        walks=str(loss.walks),
        locations=str(loss.locations),
    )
