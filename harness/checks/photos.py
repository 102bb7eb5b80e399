"""Photos against walks: every walk's thumbnail is in Storage, and nothing is left of a deleted walk. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from harness.checks.reconciled import Outage, near
from harness.load.population import thumbnail
from harness.model.message import Told, message


class Photos(msgspec.Struct, frozen=True, kw_only=True):
    """``with_thumbnail`` walks name a picture, ``lost`` ones (walk ids) name one that is not there.

    ``foreign`` are walks whose URL is none of Storage's, or names a picture of another walk. ``left`` are objects of
    deleted walks, ``explained`` ones too, whose walk was deleted in an injected outage. ``unnamed`` objects belong to
    walks that do not name them: uploaded, and the write that was to follow came too late or never.
    """

    objects: int
    with_thumbnail: int
    lost: tuple[str, ...]
    foreign: tuple[str, ...]
    left: tuple[str, ...]
    unnamed: int
    explained: tuple[tuple[str, str], ...] = ()  # the object, and the outage

    @property
    def good(self) -> bool:
        """Nothing lost, nothing left without an injected outage."""
        return not (self.lost or self.foreign or self.left)

    @property
    def told(self) -> Told:
        """All counts, for people."""
        examples = [*self.lost, *self.foreign, *self.left][:3]
        counts: Told = (
            message(
                "{walks} walks name a thumbnail: {lost} not in Storage, {foreign} not the walk's own",
                walks=f"{self.with_thumbnail:,}",
                lost=f"{len(self.lost):,}",
                foreign=f"{len(self.foreign):,}",
            ),
            message(
                "{objects} objects: {left} of deleted walks, {unnamed} not named",
                objects=f"{self.objects:,}",
                left=str(len(self.left) + len(self.explained)),
                unnamed=f"{self.unnamed:,}",
            ),
        )
        if self.explained:
            told = ", ".join(sorted({what for _, what in self.explained}))
            left = str(len(self.explained))
            counts += (message("{count} explained by an injected outage ({outages})", count=left, outages=told),)
        return (*counts, message("for example {examples}", examples=", ".join(examples))) if examples else counts


def photos(
    objects: Iterable[str], thumbnails: Mapping[str, tuple[str, str]], deleted: Collection[tuple[str, str]]
) -> Photos:
    """``thumbnails``: of each existing walk that names one, by walk id, its user and its URL.

    ``deleted``: (user, walk id) of the walks whose deletion was confirmed, and that do not exist.
    """
    there = set(objects)
    named = {walk_id: (user, thumbnail.object_of(url)) for walk_id, (user, url) in thumbnails.items()}
    own = {walk_id: name for walk_id, (user, name) in named.items() if name and _of(name, user, walk_id)}
    gone = {thumbnail.folder(user, walk_id) for user, walk_id in deleted}
    left = {name for name in there if name[: name.rfind("/") + 1] in gone}
    return Photos(
        objects=len(there),
        with_thumbnail=len(thumbnails),
        lost=tuple(sorted(walk_id for walk_id, name in own.items() if name not in there)),
        foreign=tuple(sorted(thumbnails.keys() - own.keys())),
        left=tuple(sorted(left)),
        unnamed=len(there - set(own.values()) - left),
    )


def explained(seen: Photos, written_ns: Mapping[str, int], outages: Sequence[Outage]) -> Photos:
    """``seen`` with what an outage of Storage, or of a pod, explains set apart: a photo is removed once its walk is
    deleted, by one try. ``written_ns``: when each walk was last written or deleted, by id.
    """
    why: dict[str, str] = {}
    for name in seen.left:
        at_ns = written_ns.get(name.split("/")[-2].lower())
        outage = next((each for each in outages if at_ns is not None and near(each, at_ns)), None)
        if outage is not None:
            why[name] = outage.named
    kept = tuple(name for name in seen.left if name not in why)
    return msgspec.structs.replace(seen, left=kept, explained=tuple(why.items()))


def _of(name: str, user: str, walk_id: str) -> bool:
    return name.startswith(thumbnail.folder(user, walk_id))
