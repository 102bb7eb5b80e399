"""Kustomize folders as other teams have them, written for the tests: nothing in them was made for the rehearsal.

Each folder has a file of its name beside it. Its keys: ``what`` (one sentence), ``features`` (of kustomize and of
Kubernetes that it exercises), ``folder`` (what ``--manifests`` names, below it), ``expected`` (``start`` or
``refused``, then with what the error ``says`` and ``where``). ``secrets_elsewhere`` are the Secrets' keys that are
made outside the folder, ``target`` what a person has to say of the API that no manifest does.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base import yamltext

HERE = Path(__file__).resolve().parent


class Theirs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One folder of the corpus and what is expected of it."""

    what: str
    features: tuple[str, ...]
    folder: str
    expected: str
    says: str = ""
    where: str = ""
    secrets_elsewhere: dict[str, tuple[str, ...]] = {}
    target: dict[str, str | dict[str, str]] = {}
    name: str = ""

    @property
    def path(self) -> Path:
        """The folder that ``--manifests`` names."""
        return HERE / self.name / self.folder

    @property
    def starts(self) -> bool:
        """Whether a run with it begins."""
        return self.expected == "start"


def _read(file: Path) -> Theirs:
    [(data, _lines)] = yamltext.documents(yamltext.read(file), str(file))
    return msgspec.convert({**data, "name": file.stem}, Theirs)


CORPUS = tuple(_read(file) for file in sorted(HERE.glob("*.yaml")))
STARTING = tuple(each for each in CORPUS if each.starts)
