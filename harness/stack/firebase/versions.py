"""The published versions of one project's template: what Firebase's service keeps, as a plain data structure."""

from __future__ import annotations

import re

import msgspec

from harness.model.flag import Template
from harness.stack.firebase.template import JsonTemplate, JsonUser, JsonVersion, to_template

MAX_VERSIONS = 300  # Firebase stores no more
_ETAG = re.compile(r'"?etag-(?P<project>.+)-(?P<version>\d+)"?')
_USER = JsonUser(email="rehearsal@localhost")


class VersionMismatch(ValueError):  # noqa: N818 - named as Firebase's own code
    """The ``If-Match`` is not the current ETag: somebody else published in between."""


class NoSuchVersion(LookupError):  # noqa: N818
    """The version was never published, or is no longer stored."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One version: the document as it is answered, and the template as it is evaluated."""

    number: int
    document: JsonTemplate
    template: Template


class Versions:
    """Of one project. Version 0 is the empty template of a project that never published."""

    def __init__(self, project: str) -> None:
        self.project = project
        self._all = [Published(number=0, document=JsonTemplate(), template=Template())]

    @property
    def current(self) -> Published:
        """The active version."""
        return self._all[-1]

    def etag(self, number: int) -> str:
        """The ETag of version ``number``; 0 is also the one that a successful validation answers."""
        return f"etag-{self.project}-{number}"

    def at(self, number: int) -> Published:
        """A stored version. Raises ``NoSuchVersion``."""
        for published in self._all:
            if published.number == number and number > 0:
                return published
        raise NoSuchVersion(f"version {number} of {self.project}")

    def newest_first(self) -> list[Published]:
        """Every stored version."""
        return [published for published in reversed(self._all) if published.number > 0]

    def check(self, if_match: str) -> None:
        """``*`` or the current ETag passes. Raises ``VersionMismatch`` on an old ETag, ``ValueError`` on no ETag."""
        if if_match == "*":
            return
        match = _ETAG.fullmatch(if_match)
        if match is None or match["project"] != self.project:
            raise ValueError(f"If-Match {if_match!r} is not an ETag of this project")
        if int(match["version"]) != self.current.number:
            raise VersionMismatch(
                f"[VERSION_MISMATCH]: Expected version {match['version']}, found {self.current.number}"
                f" for project: {self.project}"
            )

    def publish(self, document: JsonTemplate, *, forced: bool, at: str) -> Published:
        """Makes ``document`` the active version. Raises ``ValueError`` when Firebase would refuse it."""
        said = document.version.description if document.version else ""
        return self._add(
            document, at, JsonVersion(description=said), "FORCED_UPDATE" if forced else "INCREMENTAL_UPDATE"
        )

    def rollback(self, number: int, *, at: str) -> Published:
        """Publishes an older version again, as a new one. Raises ``NoSuchVersion``, or ``ValueError`` if not older."""
        source = self.at(number)
        if number >= self.current.number:
            raise ValueError(f"version {number} is the current one; a rollback needs an older one")
        said = source.document.version.description if source.document.version else ""
        return self._add(source.document, at, JsonVersion(description=said, rollbackSource=str(number)), "ROLLBACK")

    def _add(self, document: JsonTemplate, at: str, version: JsonVersion, kind: str) -> Published:
        number = self.current.number + 1
        version = msgspec.structs.replace(
            version,
            versionNumber=str(number),
            updateTime=at,
            updateUser=_USER,
            updateOrigin="REST_API",
            updateType=kind,
        )
        document = msgspec.structs.replace(document, version=version)
        published = Published(number=number, document=document, template=to_template(document))
        self._all = [*self._all, published][-MAX_VERSIONS:]
        return published
