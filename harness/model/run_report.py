"""What the report of every command that runs a plan on a stack says of the run itself."""

from __future__ import annotations

import msgspec

from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.stack import Rung
from harness.model.verdict import Combined, ErratumSeen


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """``timings`` are seconds by name; ``leaks`` what was left on the machine; ``errors`` what broke.

    ``environment`` is what the target is told to be, ``manifest_changes`` what the rehearsal changes in the document's
    manifests on every rung, "name: reason".
    ``combined`` is what the verdicts come to, whatever broke besides; ``None`` in runs that were stored without it.
    """

    schema_version: int
    run_id: str
    rung: Rung
    target: str
    target_bundled: bool
    seed: int
    replay: str
    started_utc: str
    exit_status: int
    timings: dict[str, float]
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    combined: Combined | None = None
    environment: str = ""
    manifest_changes: tuple[str, ...] = ()
    manifest_warnings: tuple[ManifestWarning, ...] = ()  # risks of the folder as it was written
    repository_errata: tuple[RepositoryErratum, ...] = ()  # the document's errata held against that folder
    errata_seen: tuple[ErratumSeen, ...] = ()
