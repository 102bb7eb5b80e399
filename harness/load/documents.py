"""What Firestore's answer shows, for the row of its request (``harness.model.shown``). Never raises for what came."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness.load.population.content import Content, fingerprint
from harness.model.shown import Shown, ShownWalk, text


def of_documents(snapshots: Iterable[Any]) -> str:
    """Of the official client's snapshots. Locations are not counted: the app writes a document whole."""
    return text(Shown(tuple(_document(each) for each in snapshots)))


def _document(snapshot: Any) -> ShownWalk:
    fields = {}
    for name in Content.__struct_fields__:
        try:
            fields[name] = snapshot.get(name)  # not the whole: copying all locations costs more than all else
        except KeyError:  # the app leaves out what is nil
            continue
    try:
        plain = {name: _plain(value) for name, value in fields.items()}
        return ShownWalk(str(snapshot.id).lower(), fingerprint(msgspec.convert(plain, Content)))
    except (msgspec.ValidationError, ValueError, OverflowError):
        return ShownWalk(str(snapshot.id).lower(), "")


def _plain(value: Any) -> Any:
    """Firestore's own class of time is none that msgspec takes."""
    return datetime.fromtimestamp(value.timestamp(), tz=UTC) if isinstance(value, datetime) else value
