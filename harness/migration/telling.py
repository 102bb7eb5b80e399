"""What a migration found and did, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from harness.base.errors import EvidenceNotWritten
from harness.base.private import open_private
from harness.migration.engine import MigrationReport, MovedKind, Verified
from harness.migration.source import Refusal
from harness.migration.statements import Fate
from harness.model.message import Message, enumerated, gettext_noop, message

_SHOWN = 20
#: How many documents became what.
_FATES = {
    Fate.NEW: gettext_noop("{documents} new"),
    Fate.NEWER: gettext_noop("{documents} newer"),
    Fate.SAME: gettext_noop("{documents} same"),
    Fate.OLDER: gettext_noop("{documents} older"),
    Fate.OVERTAKEN: gettext_noop("{documents} overtaken"),
    Fate.DISPUTED: gettext_noop("{documents} disputed"),
    Fate.DELETED: gettext_noop("{documents} deleted"),
    Fate.FEWER: gettext_noop("{documents} fewer"),
    Fate.DIFFERENT: gettext_noop("{documents} different"),
}


def told(report: MigrationReport, rejects: Path | None) -> Iterator[Message]:
    """Line by line; ``rejects`` is the file of what was refused."""
    users = {"users": _n(report.users), "made": _n(report.users_made), "filled": _n(report.users_filled)}
    if report.dry:
        yield message("users: {users} in Auth, {made} rows would be made, {filled} would be filled in", **users)
    else:
        yield message("users: {users} in Auth, {made} rows made, {filled} filled in", **users)
    yield from _moved(message("walks"), report.walks)
    yield from _moved(message("consents"), report.consents)
    if report.verified is not None:
        yield _compared(report.verified)
        if alone := report.verified.consents_alone:
            yield message(
                "consents: {count} in PostgreSQL have no document: withdrawn in Firestore, or never there; they stay",
                count=_n(alone),
            )
    for each in report.refused[:_SHOWN]:
        yield message("  refused: {document} {field}: {why}", document=each.document, field=each.field, why=each.told)
    if more := len(report.refused[_SHOWN:]):
        file = str(rejects or "--rejects FILE")
        yield message("  refused: {count} more; {file} has them all", count=_n(more), file=file)


def write(refused: Iterable[Refusal], rejects: Path) -> None:
    """The file of what was refused, for this user alone. Raises ``EvidenceNotWritten``."""
    try:
        with open_private(rejects) as file:
            file.writelines(msgspec.json.encode(each) + b"\n" for each in refused)
    except OSError as error:
        raise EvidenceNotWritten(
            message("the file of what was refused cannot be written: {error}", error=str(error.strerror or error)),
            where=str(rejects),
            remedy="name another with --rejects, and run the same again: what is done is kept",
        ) from error


def _moved(kind: Message, moved: MovedKind) -> Iterator[Message]:
    """One kind of documents."""
    line = message("{kind}: {documents} documents", kind=kind, documents=_n(moved.documents))
    if moved.seconds:
        line = message("{told} in {seconds} s", told=line, seconds=f"{moved.seconds:.1f}")
    if moved.since is not None:
        since, others = f"{moved.since:%Y-%m-%d %H:%M:%S}", _n(moved.unchanged)
        line = message(
            "{told} written since {since} UTC ({others} others were not)", told=line, since=since, others=others
        )
    elif moved.resumed:
        line = message("{told}, behind what was done before", told=line)
    refused = _n(moved.refused)
    yield message("{told}: {fates}, {refused} refused", told=line, fates=_fates(moved.fates), refused=refused)
    for name, count in moved.repaired.items():
        yield message("  absent and filled in: {field} ({count} documents)", field=name, count=_n(count))
    for name, count in moved.unknown.items():
        yield message("  without a column: {field} ({count} documents)", field=name, count=_n(count))


def _fates(fates: Mapping[str, int]) -> Message:
    found = [
        Message(text=_FATES[Fate(name)], values={"documents": _n(count)}) for name, count in fates.items() if count
    ]
    return enumerated(found) if found else message("none")


def _compared(found: Verified) -> Message:
    names = ("equal", "later", "different", "missing", "refused", "caught_up", "taken_back", "alone", "orphans")
    counts = message(
        "{equal} equal by digest, {later} later in PostgreSQL, {different} different, {missing} missing, {refused} "
        "refused; {caught_up} written meanwhile and moved again, {taken_back} deleted meanwhile and taken back; "
        "{alone} in PostgreSQL alone, {orphans} of them as moved",
        **{name: _n(getattr(found, name)) for name in names},
    )
    if found.unchanged:
        unchanged = _n(found.unchanged)
        counts = message("{unchanged} unchanged since they were compared, {counts}", unchanged=unchanged, counts=counts)
    return message(
        "compared: {documents} documents, {walks} walks in PostgreSQL: {counts}",
        documents=_n(found.documents), walks=_n(found.walks), counts=counts,
    )  # fmt: skip


def _n(count: int) -> str:
    return f"{count:,}"
