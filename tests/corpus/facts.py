"""What a stored result states, as plain facts that need none of the harness' types: ``facts.json`` beside it.

``python -m tests.corpus.facts`` writes them for every folder of the corpus. The documents are read as the JSON that
they are, so this reads the documents of before ``result.json`` for ever. The names of the facts are those of the
common judgement: what a document calls otherwise (``detail``, ``outcome``, ``planned``) is told by its reader below.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.corpus.standing import numbers, texts

RUNS = Path(__file__).parent / "runs"
FACTS = "facts.json"
Json = dict[str, Any]

#: Outcomes of documents that have words of their own, in the words of all others.
VERDICT = {
    "passed": "pass",
    "failed": "fail",
    "missed": "fail",
    "deviation": "fail",
    "advice": "pass",
    "measurement_error": "inconclusive",
}
#: How a verdict counts: one that was ``judged`` exercises something and holds unless it is good; one ``beside`` holds
#: unless it is good, and exercises nothing; one that is ``told`` does neither.
JUDGED, BESIDE, TOLD = "judged", "beside", "told"


def judgement(verdict: str, counts: str, **given: Any) -> Json:
    """One claim, or one thing looked at, and what became of it; ``said`` is the document's own word for the verdict.

    ``grade`` is a conformance check's: what a deviation breaks, or that the target is allowed to do without.
    """
    fields: Json = {
        "part": "", "id": "", "title": "", "kind": "criterion", "claims": [], "verdict": VERDICT.get(verdict, verdict),
        "said": verdict, "counts": counts, "value": None, "shown": "", "bound": None, "limit": None, "unit": "",
        "samples": None, "reason": "", "erratum": "", "examples": [], "grade": "",
    }  # fmt: skip
    assert set(given) <= set(fields), given
    return fields | given


def _week(document: Json, part: str = "") -> Iterator[Json]:
    for each in document["criteria"]:
        yield judgement(
            each["verdict"], JUDGED, part=part, id=each["id"], claims=[each["claim"]],
            kind="rollback_limit" if each["kind"] == "rollback" else "criterion", value=each["value"],
            bound=each["bound"], limit=each["threshold"], unit=each["unit"], samples=each["samples"],
            reason=each["reason"],
        )  # fmt: skip
    for each in document["checks"]:
        yield judgement(
            each["verdict"], BESIDE if each["holds"] else TOLD, part=part, id=each["id"], kind="check",
            claims=[each["claim"], *each["also"]], value=each["value"], limit=each["planned"], unit=each["unit"],
            samples=each["samples"], reason=each["reason"],
        )  # fmt: skip


def _rollout(document: Json) -> Iterator[Json]:
    for week in document["weeks"]:
        yield from _week(week, f"week {week['week']}, attempt {week['attempt']}")


def _load(document: Json) -> Iterator[Json]:
    for each in document["claims"]:
        yield judgement(
            each["verdict"], JUDGED, part="target" if each["of_target"] else "", id=each["claim"],
            claims=[each["claim"]], shown=each["value"], reason=each["reason"], erratum=each["erratum"],
        )  # fmt: skip
    for each in document["steps"]:
        figures = each["figures"]
        yield judgement(
            each["verdict"], TOLD, part="steps", id=each["step"]["name"], kind="observation",
            value=figures["latency_p95_ms"], bound=figures["latency_p95_upper_ms"], limit=document["p95_limit_ms"],
            unit="ms", samples=figures["requests"], reason=each["reason"],
        )  # fmt: skip
    for each in document["knees"]:
        photos = f" with {each['photos_per_s']:g} photos/s" if each["photos_per_s"] else ""
        yield judgement(
            each["verdict"], TOLD, part="knees", id=f"{each['pods']} pods{photos}", kind="observation",
            value=each["rate_per_s"], bound=each["broken_per_s"], unit="1/s", reason=each["reason"],
        )  # fmt: skip


def _parts(document: Json) -> Iterator[Json]:
    for part in document["parts"]:
        for each in part["findings"]:
            yield judgement(
                each["verdict"], JUDGED, part=part["name"], id=each["claim"], claims=[each["claim"]],
                shown=each["value"], reason=each["reason"], erratum=each["erratum"],
            )  # fmt: skip


def _checks(document: Json) -> Iterator[Json]:
    for each in document["checks"]:
        yield judgement(
            each["verdict"], BESIDE, part="checks", id=each["name"], kind="check", reason=each["detail"],
            examples=each["examples"],
        )  # fmt: skip


def _deploy(document: Json) -> Iterator[Json]:
    yield from _parts(document)
    yield from _checks(document)


def _network(document: Json) -> Iterator[Json]:
    for each in document["findings"]:
        yield judgement(
            each["verdict"], JUDGED, id=each["check"], claims=[each["claim"]], shown=each["value"],
            reason=each["reason"], erratum=each["erratum"], examples=each["examples"],
        )  # fmt: skip
    for each in document["paths"]:
        yield judgement(
            each["verdict"], TOLD, part="paths", id=each["path"], kind="observation", reason=each["reason"],
            shown="; ".join((each["before"], each["after"], each["replaced"])),
        )  # fmt: skip


def _mirror_stop(document: Json) -> Iterator[Json]:
    for each in document["judgements"]:
        yield judgement(
            each["verdict"], JUDGED, id=each["id"], claims=[each["claim"]], reason=each["reason"],
            erratum=each["erratum"],
        )  # fmt: skip


def _recovery(document: Json) -> Iterator[Json]:
    for each in document["findings"]:
        yield judgement(
            each["verdict"], JUDGED, id=each["id"], claims=[each["claim"]], value=each["value"], bound=each["bound"],
            limit=each["limit"], unit=each["unit"], samples=each["samples"], reason=each["reason"],
        )  # fmt: skip
    for case in document["cases"]:
        for each in case["checks"]:
            yield judgement(
                "pass" if each["ok"] else "fail", TOLD, part=case["id"], id=each["name"], kind="check",
                reason=each["told"],
            )  # fmt: skip
    for what, why in document["not_exercised"]:
        yield judgement("not_exercised", TOLD, part="not exercised", id=what, kind="observation", reason=why)


def _conformance(document: Json) -> Iterator[Json]:
    for each in document["checks"]:
        seen = f"expected {each['expected']}, got {each['got']}" if each["got"] or each["expected"] else ""
        yield judgement(
            each["outcome"], JUDGED, id=each["id"], title=each["sentence"], kind="check", shown=seen,
            reason=each["reason"], examples=[each["curl"]] if each["curl"] else [],
            grade=each["grade"] or ("allowed" if each["allowed"] else ""),
        )  # fmt: skip


def _flag_proof(document: Json) -> Iterator[Json]:
    for each in document["cases"]:
        yield judgement(
            each["outcome"], JUDGED, part=each["mode"], id=each["id"], claims=[each["claim"]], value=each["last_s"],
            bound=each["bound_s"], limit=each["limit_s"], unit="s", samples=each["clients"], reason=each["reason"],
            erratum=each["erratum"],
        )  # fmt: skip


def _chaos(document: Json) -> Iterator[Json]:
    for each in document["experiments"]:
        yield judgement(
            each["verdict"], JUDGED, part=str(each["number"]), id=each["name"], title=each["title"], value=each["failed"], unit="requests",
            samples=each["calls"], reason=each["reason"], erratum=each["erratum"],
        )  # fmt: skip
    yield from _checks(document)


def _night(document: Json) -> Iterator[Json]:
    for each in document["schedules"]:
        nothing = not each["exercised"] and not each["broke"] and each["exit_status"] in (0, 10)
        ended = "not_exercised" if nothing else "pass" if each["exit_status"] == 0 else "fail"
        yield judgement(
            ended, JUDGED, id=f"seed {each['seed']}", value=each["failed"], unit="requests", samples=each["calls"],
            shown=f"exit status {each['exit_status']}: {', '.join(each['drawn'])}",
            reason="; ".join((*each["shortcomings"], *each["broke"])),
        )  # fmt: skip


#: The document's name and its reader; a folder has one of them.
READERS: dict[str, Callable[[Json], Iterable[Json]]] = {
    "run.json": _week,
    "rollout.json": _rollout,
    "load.json": _load,
    "scaling.json": _parts,
    "secret_rotation.json": _parts,
    "network.json": _network,
    "mirror_stop.json": _mirror_stop,
    "dr.json": _recovery,
    "conformance.json": _conformance,
    "flag_proof.json": _flag_proof,
    "deploy.json": _deploy,
    "chaos.json": _chaos,
    "chaos_nightly.json": _night,
}


def document_of(folder: Path) -> str:
    """The name of the folder's document; "" where it has none."""
    return next((name for name in READERS if (folder / name).is_file()), "")


def errata(name: str, document: Json, judgements: list[Json]) -> list[Json]:
    """The errata seen, with what was seen, by id."""
    if name == "rollout.json":
        stored = [each for week in document["weeks"] for each in week["errata_seen"]]
    elif name == "dr.json":
        stored = document["errata"]
    elif "errata_seen" in document:
        stored = document["errata_seen"]
    else:  # kept with each judgement alone; one that was expected, and did not show itself, was not seen
        shown = [each for each in judgements if each["erratum"] and each["said"] != "missed"]
        firsts = {each["erratum"]: each["reason"] for each in reversed(shown)}
        stored = [{"id": erratum, "seen": seen} for erratum, seen in firsts.items()]
    return sorted(({"id": each["id"], "seen": each["seen"]} for each in stored), key=lambda each: str(each["id"]))


def facts(folder: Path) -> Json:
    """Everything that the folder's document states, the numbers on its page and in its summary, the cases of its JUnit."""
    name = document_of(folder)
    document: Json = json.loads((folder / name).read_text("utf-8"))
    judgements = list(READERS[name](document))
    page, charts = texts((folder / "report.html").read_text("utf-8"))
    target = document["target"]
    return {
        "document": name,
        "run_id": document.get("run_id") or document.get("rollout_id"),
        "rung": document["rung"],
        "target": target["name"] if isinstance(target, dict) else target,
        "seed": document["seed"],
        "replay": document["replay"],
        "started_utc": document["started_utc"],
        "exit_status": document["exit_status"],
        "decision": document.get("decision"),
        "combined": document.get("combined"),
        "stopped": document.get("stopped", ""),
        "errors": document["errors"],
        "leaks": document.get("leaks", []),
        "timings": document.get("timings", {}),
        "judgements": judgements,
        "errata_seen": errata(name, document, judgements),
        "page": numbers(page),
        "charts": numbers(charts),
        "summary": numbers((folder / "summary.md").read_text("utf-8")),
        "junit": _junit(folder),
    }


def _junit(folder: Path) -> list[Json]:
    """Each test case of the folder's JUnit document, and what it is: passed, failure, error or skipped."""
    [path] = folder.glob("*.xml")
    cases = ElementTree.parse(path).iter("testcase")
    kinds = ("failure", "error", "skipped")
    return [
        {
            "suite": case.get("classname"),
            "case": case.get("name"),
            "came": next((kind for kind in kinds if case.find(kind) is not None), "passed"),
        }
        for case in cases
    ]


def encoded(found: Json) -> str:
    """As it lies beside the document: a line for each judgement and each number."""
    lines = []
    for key, value in found.items():
        if isinstance(value, list) and value:
            inner = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in value)
            lines.append(f"{json.dumps(key)}: [\n  {inner}\n ]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def folders(runs: Path = RUNS) -> list[Path]:
    """Every folder of the corpus that holds a document: the runs, and those within a rollout or a night."""
    return sorted({path.parent for name in READERS for path in runs.rglob(name)})


def main() -> None:
    """Writes the facts of all of them."""
    for folder in folders():
        (folder / FACTS).write_text(encoded(facts(folder)), "utf-8")
        print(folder.relative_to(RUNS))


if __name__ == "__main__":
    main()
