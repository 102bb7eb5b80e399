"""What reaches a page word for word is nobody's to translate: each place where that is done is named here, with whose
words they are. Our own English is a message, with its words in every language.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from harness.base.data import ROOT

NAME = "the name of a thing"
OUTPUT = "what a program, Kubernetes or a server said"
TYPED = "a command or a statement as it is typed"
FIGURES = "figures with their units"
ERROR = "an error's own words, where nobody made a message of them"
OLD = "the words of a run that was stored before they were messages"

#: By file, the texts that are passed on as they are, and whose they are.
WORD_FOR_WORD = {
    ("checks/cause.py", "each.id"): NAME,
    ("checks/cause.py", "row.subject"): NAME,
    ("checks/invariants.py", "str(error)"): ERROR,
    ("cli/cluster.py", "each of names"): NAME,
    ("cli/cluster.py", "each of tags"): NAME,
    ("cli/cluster.py", "f'export KUBECONFIG={made.kubeconfig}'"): TYPED,
    ("judge/judged.py", "each"): NAME,
    ("migration/load.py", "row['why']"): OLD,
    ("model/evidence.py", "row.message"): OLD,
    ("objectives/foreign/faults.py", "f\"{asked.metric}{{{','.join(sorted(map(str, asked.matchers)))}}}\""): TYPED,
    ("rehearsal/conduct.py", "self.plan_name"): NAME,
    ("rehearsals/chaos/judge_run.py", "made.broken"): OUTPUT,
    ("rehearsals/chaos/night.py", "line"): ERROR,
    ("rehearsals/chaos/night.py", "str(error)"): ERROR,
    ("rehearsals/cost/month/bill.py", "'Cloud SQL'"): NAME,
    ("rehearsals/cost/month/bill.py", "'Firebase Storage'"): NAME,
    ("rehearsals/cost/month/bill.py", "'Cloud Logging'"): NAME,
    ("rehearsals/cost/month/bill.py", "'Cloud Monitoring'"): NAME,
    ("rehearsals/deploy/judge.py", "said[0]"): OUTPUT,
    ("rehearsals/deploy/judge_run.py", "followed.not_applicable"): OUTPUT,
    ("rehearsals/deploy/judge_run.py", "statement"): TYPED,
    ("rehearsals/dr_restore/corrected.py", "'kubectl rollout restart'"): TYPED,
    ("rehearsals/dr_restore/disasters.py", "found.said.splitlines()[0]"): OUTPUT,
    ("rehearsals/dr_restore/disasters.py", "str(safe.at)"): FIGURES,
    ("rehearsals/dr_restore/judge_steps.py", "written.steps.why"): ERROR,
    ("rehearsals/dr_restore/judge_steps.py", "restart.why"): ERROR,
    ("rehearsals/dr_restore/on_stack.py", "INSTANCE"): NAME,
    ("rehearsals/dr_restore/procedure.py", "'kubectl rollout restart'"): TYPED,
    ("rehearsals/dr_restore/verification.py", "each of strange[:_EXAMPLES]"): NAME,
    ("rehearsals/migration_drill/judge.py", "odd.wrong"): OLD,
    ("rehearsals/network/judge.py", "trouble"): ERROR,
    ("rehearsals/operations/judge.py", "f'{command}: {said}'"): OUTPUT,
    ("rehearsals/operations/judge.py", "pod.why"): OUTPUT,
    ("rehearsals/rollout/sections.py", "'SELECT utc, kind, subject, message FROM events ORDER BY at_ns, seq;'"): TYPED,
    ("rehearsals/rollout/timeline.py", "subject"): NAME,
    ("rehearsals/runbooks/rehearsal.py", "f\"kubectl {' '.join(line.words)}\""): TYPED,
    ("rehearsals/runbooks/rehearsal.py", "block.heading"): "a heading of the runbook that is run",
    ("rehearsals/scaling/by_kubectl.py", "f\"kubectl {' '.join(words)}\""): TYPED,
    ("rehearsals/scaling/judge_autoscaling.py", "f'{part.low} -> {most}'"): FIGURES,
    ("rehearsals/scaling/judge_autoscaling.py", "path"): "figures, and the autoscaler's own words",
    ("rehearsals/scaling/judge_commands.py", "chose[0]"): OUTPUT,
    ("rehearsals/scaling/judge_commands.py", "lines[0][-300:]"): OUTPUT,
    (
        "rehearsals/scaling/judge_latency.py",
        "', '.join((f'{(each.at_ns - did.load_ns) / NS:.0f} s: {each.size}' for each in rises))",
    ): FIGURES,
    ("report/course.py", "name"): NAME,
    ("report/panels.py", "path"): FIGURES,
    ("report/words.py", "each"): NAME,
}  # fmt: skip
MAY_HOLD = re.compile(r"""\bverbatim\b|\bmessage\(\s*["']\{\w+\}["']""")


def test_what_is_passed_on_word_for_word_is_somebody_elses() -> None:
    found = Counter(
        (str(path.relative_to(ROOT / "harness")), text)
        for path in sorted((ROOT / "harness").rglob("*.py"))
        for text in word_for_word(path.read_text())
    )
    assert found == Counter(WORD_FOR_WORD.keys())


def word_for_word(source: str) -> Iterator[str]:
    """What is passed to ``verbatim``, or stands alone in a message that it would make, in that source."""
    if not MAY_HOLD.search(source):  # seen faster than parsed
        return
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        first = node.args[0] if node.args else None
        if node.func.id == "verbatim" and first is not None:
            yield ast.unparse(first)
        if node.func.id == "map" and first is not None and ast.unparse(first) == "verbatim":
            yield f"each of {ast.unparse(node.args[1])}"
        if node.func.id == "message" and isinstance(first, ast.Constant) and _only_a_place(str(first.value)):
            yield from (ast.unparse(each.value) for each in node.keywords if not _is_own(source, each))


def _only_a_place(text: str) -> bool:
    return text.startswith("{") and text.endswith("}") and text[1:-1].isidentifier()


def _is_own(source: str, given: ast.keyword) -> bool:
    """Whether it is ``verbatim`` itself."""
    return given.arg == "words" and "def verbatim" in source


def test_our_own_english_in_another_s_place_is_found() -> None:
    source = "a = verbatim('; '.join(told))\nb = message('{it}', it=told)\nc = message('{it} here', it=told)\n"
    assert [*word_for_word(source)] == ["'; '.join(told)", "told"]
