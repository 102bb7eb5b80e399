"""The words that people read: those of docs/words.md, and no English word in a Japanese sentence where a term exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.cli.messages import read
from harness.report.language import DOMAINS
from tests.register import ERRATA, REGISTER

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs" / "words.md"
#: The pages in Japanese.
JAPANESE = ["README.ja.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "ja").rglob("*.md"))]

_CODE = re.compile(r"```.*?```|`[^`]*`|「[^」]*」|\]\([^)]*\)", re.DOTALL)
_PLACE = re.compile(r"\{\w*\}")
#: Not a word but a name: of a field, a file, an option, a class; in capitals; or with a digit.
_NAME = re.compile(r"[./:=@_-]|[a-z][A-Z]|^[A-Z]+s?$|\d")
#: A command as it is typed.
_COMMAND = re.compile(r"(?<![A-Za-z])(?:kubectl|kustomize|terraform|gcloud|go|git|set)(?: [-A-Za-z0-9_./=]+)+")
#: An option, a path, a call.
_TYPED = re.compile(r"(?<![A-Za-z0-9])(?:--?|\.?/)[A-Za-z][-\w./]*|[a-z]+\(\)|[a-z]+:(?= [A-Z])", re.ASCII)
_TOKEN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9_./:=@-]*[A-Za-z0-9_]|(?<![A-Za-z0-9])[A-Za-z]")

#: Products, and parts of them; what Kubernetes, Swift and the design document call their own things.
_NAMES = frozenset(
    """
    Accessor Actions Adapter Admin Alertmanager Apache Argo Artifact Auth Authorization Autopilot Basic Bench Budget Chaos Client Cloud Compose Compute Config Container
    Contour Cookie Debian Dependabot Deployment Docker Dockerfile Driver English Engine Enterprise Envoy Error Events Factory Firebase Firestore Go Google Grafana Helm Identity Ingress JUnit
    Job Kubernetes Linux Liveness Locust Logging Manager Monitoring Node Phase Pod PostgreSQL Probe Prometheus Proxy Python Readiness
    Registry Remote Restricted Secret Secrets Service Slack Sloth Standard Startup Storage Store Swift Taint TekuToko Terraform Token Toolkit Ubuntu Walk Webhook
    Workload checkov for gcloud git gke glibc govulncheck inotify kubeconfig kubectl kubelet kustomize libpq mmdebstrap nancy nox npm pip schemathesis sudo wheel
    """.split()  # noqa: SIM905 - a list of words
)
#: Environments, components, and fields or values as they are written in a file, a document or an answer.
_WRITTEN = frozenset(
    """
    Always activate alg api aud backend base bearer capabilities description dev double drop environment exp false fetch google graceful iat id
    init integer iss kid kind kube latest limit limits local localhost locations main message nil none null page prod push replicas request
    requests root severity sleep staging state status sub tier timestamp title true uid undo users walks
    """.split()  # noqa: SIM905 - a list of words
)
_UNITS = frozenset(("s", "ms", "min", "h", "d", "m", "Mi"))


def _rows() -> Iterator[list[str]]:
    for line in GLOSSARY.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| English"):
            yield [cell.strip() for cell in line.removesuffix("|").removeprefix("|").split("|")]


@cache
def not_used() -> tuple[str, ...]:
    """The words of the glossary's last column."""
    return tuple(word for row in _rows() for word in re.findall(r"`([^`]+)`", row[-1]))


@cache
def _pattern() -> re.Pattern[str]:
    english = "|".join(re.escape(word) for word in not_used() if word.isascii())
    japanese = [re.escape(word) for word in not_used() if not word.isascii()]
    return re.compile("|".join([rf"(?<![a-z-])(?:{english})(?![a-z])", *japanese]), re.I)


def refused(text: str) -> list[str]:
    """The words in ``text`` that are not used. Most texts hold none, which is seen ten times as fast without borders."""
    said = _PLACE.sub(" ", text)
    folded = said.casefold()
    return _pattern().findall(said) if any(word.casefold() in folded for word in not_used()) else []


def english_in(japanese: str) -> list[str]:
    """English words in a Japanese sentence that have no leave to be there."""
    text = _TYPED.sub(" ", _COMMAND.sub(" ", _PLACE.sub(" ", _CODE.sub(" ", japanese))))
    tokens = [token for token in _TOKEN.findall(text) if not _NAME.search(token)]
    return [token for token in tokens if token not in _NAMES | _WRITTEN | _UNITS]


@cache
def _entries() -> tuple[tuple[str, str], ...]:
    read_ = (entry for domain in DOMAINS for entry in read("ja", domain))
    return tuple((str(entry.id), str(entry.string)) for entry in read_ if entry.id)


def _said_in(path: Path) -> Iterator[str]:
    """The strings of a module that hold a sentence: with a space, no docstring."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr):  # walked before what it holds
            docstrings.add(id(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from (node.value,) if " " in node.value.strip() else ()


def test_the_glossary_has_four_columns_and_words_that_are_not_used() -> None:
    assert {len(row) for row in _rows()} == {4}
    assert {"rung", "正誤事項", "デュアルライト", "フォルダー"} <= set(not_used())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the rung lacks zones", ["rung"]),
        ("two rungs, {rung}, set-by-the-rung", ["rungs"]),
        ("環境段階の証拠", ["環境段階", "証拠"]),
        ("a wrung cloth; 環境と証跡", []),
    ],
)
def test_a_word_that_is_not_used_is_found_and_no_other(text: str, words: list[str]) -> None:
    assert refused(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("drainの後のPod", ["drain"]),
        ("Podの`drain`、「week」、{drain}、kubectl rollout undoとrun.json", []),
        ("HPAが30 sで動く。secretObjects、db_host", []),
        ("claimのcriterion", ["claim", "criterion"]),
    ],
)
def test_an_english_word_in_a_japanese_sentence_is_found_and_no_name(text: str, words: list[str]) -> None:
    assert english_in(text) == words


def test_no_message_and_no_translation_uses_a_word_that_is_not_used() -> None:
    found = {said: words for pair in _entries() for said in pair if (words := refused(_CODE.sub(" ", said)))}
    assert found == {}


def test_no_translation_has_an_english_word_where_a_term_exists() -> None:
    assert {text: words for _, text in _entries() if (words := english_in(text))} == {}


def test_an_id_stands_in_marks_in_a_japanese_sentence() -> None:
    any_id = "|".join(map(re.escape, {*REGISTER, *ERRATA}))
    ids = re.compile(rf"(?<![\w.])(?:{any_id})(?![\w.])")
    assert {text: found for _, text in _entries() if (found := ids.findall(_CODE.sub(" ", text)))} == {}


def test_a_word_of_katakana_has_one_form() -> None:
    pages = "\n".join((ROOT / name).read_text() for name in JAPANESE)
    read_by_people = "\n".join((*(text for _, text in _entries()), pages))
    words = set(re.findall(r"[ァ-ヴー]{3,}", read_by_people))
    assert {word for word in words if f"{word}ー" in words} == set()


PAGES = [*sorted((ROOT / "deploy").rglob("*.md")), *sorted({*(ROOT / "docs").rglob("*.md")} - {GLOSSARY})]


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", ROOT / "README.ja.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_page_uses_a_word_that_is_not_used(path: Path) -> None:
    text = re.sub(r"(?<!`)`[^`\n]+`(?!`)", " ", path.read_text())
    assert refused(text) == []


@pytest.mark.parametrize("name", JAPANESE)
def test_a_japanese_page_has_no_english_word_where_a_term_exists(name: str) -> None:
    assert english_in((ROOT / name).read_text()) == []


def test_no_template_no_help_no_error_and_no_line_of_progress_uses_a_word_that_is_not_used() -> None:
    found: dict[str, list[str]] = {}
    templates = (ROOT / "harness/report/templates").glob("*.j2")
    for path in templates:
        text = " ".join(re.findall(r'say\("([^"]*)"', path.read_text()))
        text += re.sub(r"\{[{%#].*?[}%#]\}", " ", path.read_text(), flags=re.DOTALL)
        if words := refused(text):
            found[path.name] = words
    modules = (
        ROOT / "noxfile.py",
        *ROOT.glob(".ci/**/*.py"),
        *ROOT.glob("harness/**/*.py"),
        *ROOT.glob("scenarios/*.py"),
    )
    for path in modules:
        for said in _said_in(path) if refused(path.read_text()) else ():  # only those that hold one are parsed
            if words := refused(said):
                found[f"{path.relative_to(ROOT)}: {said[:80]}"] = words
    assert found == {}
