"""The message catalogues: what there is to translate, found by Babel and in the registers, and the ``.po`` files.

``python -m harness.cli.messages`` (``nox -s messages``) extracts every message, merges it into the catalogues and
writes them; what is left empty or marked fuzzy is for a translator, and a test refuses it. ``report`` holds the
words of the reports and of the judge; ``claims`` the register's sentences, the contract's, the scenarios' titles
and the reasons of the manifests' patches.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from harness.base import errors, yamltext
from harness.base.data import OVERLAYS, PLANS, ROOT, SCENARIOS
from harness.base.errors import MEANING
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.fuzz import SENTENCES
from harness.rehearsals.conformance.openapi.answers import SENTENCES as OPENAPI_SENTENCES
from harness.rehearsals.security.checks import ALL as SECURITY
from harness.report.language import DOMAINS, ENGLISH, LANGUAGES, catalogue_file
from harness.rules import register
from harness.stack.manifests import load as load_manifests
from harness.stack.manifests.forced import reasons

_HEADER = "# The reports' messages. Extract and merge with: nox -s messages"

#: Functions whose first argument is a message id.
KEYWORDS = {"say": None, "message": None, "gettext_noop": None}
#: What makes an error; one of a module's own class is known by its ``remedy``.
ERRORS = (
    *(name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, Exception)),
    "RuleError",
)
#: Its ``description`` is what an error says of another value.
_FIELD = "msgspec.Meta"
_METHODS = {".py": "python", ".j2": "jinja2.ext:babel_extract"}
_SAMPLE = ROOT / "tests" / "foreign" / "go" / "target.yaml"


def report_messages() -> dict[str, list[tuple[str, int]]]:
    """Every message id of the code and the templates, with the places it stands at."""
    found: dict[str, list[tuple[str, int]]] = {}
    calls = re.compile(rf"\b(?:{'|'.join(KEYWORDS)})\s*\(")
    for path in sorted(path for folder in ("harness", "scenarios", "chaos") for path in (ROOT / folder).rglob("*")):
        if path.suffix not in _METHODS:
            continue
        source = path.read_text("utf-8")
        for line, said in of_errors(source) if path.suffix == ".py" else ():
            found.setdefault(said, []).append((str(path.relative_to(ROOT)), line))
        if not calls.search(source):
            continue  # Babel takes each file apart, which is most of the time
        for line, text, _, _ in extract_from_file(_METHODS[path.suffix], str(path), keywords=KEYWORDS):
            first = text if isinstance(text, str) else text[0]
            if not first.endswith("\n"):  # what one process says to another on a pipe
                found.setdefault(first, []).append((str(path.relative_to(ROOT)), line))
    for path in sorted(SCENARIOS.glob("rules/*.yaml")):
        [(rules, _)] = yamltext.documents(yamltext.read(path), str(path))
        for said in (rule["says"] for rule in rules.values() if "says" in rule):
            found.setdefault(said, []).append((str(path.relative_to(ROOT)), 0))
    for meaning in MEANING.values():
        found.setdefault(meaning, []).append(("harness/base/errors.py", 0))
    return found


def of_errors(source: str) -> Iterator[tuple[int, str]]:
    """What errors say in plain words, and where: of each that is made in that source, what happened and what to do;
    and what a plan's field has to be.
    """
    for node in ast.walk(ast.parse(source)) if any(name in source for name in (*ERRORS, _FIELD)) else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("what", "remedy"):
            yield from _plain(node.value)
        if isinstance(node, ast.Call):
            remedies = [each.value for each in node.keywords if each.arg == "remedy"]
            made = ast.unparse(node.func) in ERRORS or (remedies and len(node.args) == 1)
            said = [*remedies, *(node.args[:1] if made else ())]
            if ast.unparse(node.func) == _FIELD:
                said = [each.value for each in node.keywords if each.arg == "description"]
            yield from (found for each in said for found in _plain(each))


def _plain(said: ast.expr) -> Iterator[tuple[int, str]]:
    """The words themselves, of either branch where there are two. What has a place is no plain text."""
    if isinstance(said, ast.IfExp):
        yield from (*_plain(said.body), *_plain(said.orelse))
    elif isinstance(said, ast.Constant) and isinstance(said.value, str) and said.value and "{" not in said.value:
        yield said.lineno, said.value


def claims_messages() -> dict[str, list[tuple[str, int]]]:
    """Every sentence of the registers, with the id it belongs to in the place of a file."""
    found: dict[str, list[tuple[str, int]]] = {}
    for where, text in _register():
        found.setdefault(text, []).append((where, 0))
    return found


def _register() -> Iterator[tuple[str, str]]:
    yield from (("chapter", title) for title in register.bundled().chapters)
    for claim in register.bundled().claims.values():
        yield from ((claim.id, text) for text in (claim.how, claim.first_sign, claim.not_rehearsed) if text)
        for erratum in claim.errata:
            yield erratum.id, erratum.why
            yield erratum.id, erratum.correction
    for check in (*ALL, *SECURITY):
        yield check.id, check.sentence
    yield from SENTENCES.items()
    yield from OPENAPI_SENTENCES.items()
    for path in sorted((*SCENARIOS.glob("*.yaml"), *PLANS.glob("*.yaml"))):
        [(document, _)] = yamltext.documents(yamltext.read(path), str(path))
        for each in (document, *(part for part in document.get("parts", ()) if isinstance(part, dict))):
            if title := each.get("title"):
                yield path.stem, title
        for event in document.get("events", ()):
            yield from ((path.stem, event[key]) for key in ("title", "source"))
    for name in catalogue.names():
        yield name, catalogue.load(name).title
    for patch in load_manifests(OVERLAYS / "local").patches:
        yield patch.name, patch.reason
    [(sample, _)] = yamltext.documents(yamltext.read(_SAMPLE), str(_SAMPLE))
    yield "sample", sample["name"]
    for reason in reasons.ALL:
        yield "forced", reason


MESSAGES = dict(zip(DOMAINS, (report_messages, claims_messages), strict=True))


def read(code: str, domain: str) -> Catalog:
    """The committed catalogue; an empty one where there is none."""
    path = catalogue_file(code, domain)
    if not path.exists():
        return Catalog(locale=code, domain=domain, header_comment=_HEADER, project="tekutoko-rehearsal", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=code, domain=domain)


def update(code: str, domain: str) -> Path:
    """Merges what there is to translate into the catalogue of ``code`` and writes it."""
    template = Catalog(domain=domain)
    for text, places in MESSAGES[domain]().items():
        template.add(text, locations=[(place, 0) for place, _ in places])
    catalogue = read(code, domain)
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    write(code, domain, catalogue)
    return catalogue_file(code, domain)


def write(code: str, domain: str, catalogue: Catalog) -> None:
    """Writes the catalogue in an order and a form that give small differences."""
    catalogue.fuzzy = False
    for entry in catalogue:
        entry.flags.discard("python-format")  # a per cent sign in a sentence is no place
    path = catalogue_file(code, domain)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(
            file, catalogue, width=100, sort_output=True, ignore_obsolete=True, omit_header=False, include_lineno=False
        )


def main() -> None:
    """Updates every catalogue, and says how much of each is left to translate."""
    for code in LANGUAGES:
        for domain in DOMAINS if code != ENGLISH.code else ():
            path = update(code, domain)
            left = sum(not message.string for message in read(code, domain) if message.id)
            sys.stdout.write(f"{path.relative_to(ROOT)}: {left} of {len(read(code, domain))} messages to translate\n")


if __name__ == "__main__":
    main()
