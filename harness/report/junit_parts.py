"""What every JUnit document here is made of. A skipped case looks green to a CI: say the whole in a case of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.model.verdict import Verdict
from harness.report.frame import Ended, nothing_line

#: What XML 1.0 cannot hold at all, escaped or not.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """``text`` with what XML cannot hold replaced."""
    return _NOT_XML.sub("�", text)


def case(
    suite: str, name: str, result: Failure | Error | Skipped | None, output: str = "", seconds: float = 0.0
) -> TestCase:
    """A test case of ``suite``; passed when ``result`` is ``None``."""
    made = TestCase(xml_text(name), classname=xml_text(suite), time=seconds)
    if result is not None:
        made.result = [result]
    if output:
        made.system_out = xml_text(output)
    return made


def result_of(verdict: Verdict, told: str) -> Failure | Error | Skipped | None:
    """What a verdict is in JUnit's words; ``None``, that is passed, for a pass and for an erratum shown."""
    kinds: dict[Verdict, type[Failure | Error | Skipped] | None] = {
        Verdict.PASS: None,
        Verdict.FAIL: Failure,
        Verdict.INCONCLUSIVE: Error,
        Verdict.NOT_EXERCISED: Skipped,
        Verdict.ERRATUM_SHOWN: None,
    }
    kind = kinds[verdict]
    return None if kind is None else kind(xml_text(told), str(verdict))


def judged_case(suite: str, name: str, verdict: Verdict, told: str, seconds: float = 0.0) -> TestCase:
    """A test case for a verdict with its reason; an erratum shown says so, as JUnit has no word for it."""
    output = f"erratum shown: {told}" if verdict is Verdict.ERRATUM_SHOWN else told
    return case(suite, name, result_of(verdict, told), output, seconds)


def run_cases(suite: str, report: Ended) -> list[TestCase]:
    """A test case for what broke, one for what was left, and one for whether anything was exercised at all."""
    nothing = nothing_line(report)
    return [
        case(suite, name, Failure(xml_text("; ".join(told)), name) if told else None)
        for name, told in (("run", report.errors), ("leaks", report.leaks), ("exercised", nothing))
    ]


def suite_document(
    suite: str,
    cases: Iterable[TestCase],
    *,
    started_utc: str = "",
    properties: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """The document of one suite, properties first: the order of the schema that Jenkins and others check."""
    made = TestSuite(xml_text(suite))
    if started_utc:
        made.timestamp = started_utc
    for name, value in properties.items():
        made.add_property(name, xml_text(value))
    for each in cases:
        made.add_testcase(each)
    document = JUnitXml()
    document.add_testsuite(made)
    document.update_statistics()  # type: ignore[no-untyped-call]  # half typed upstream
    content: bytes = document.tostring()  # type: ignore[no-untyped-call]  # half typed upstream
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content + b"\n"
