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
    ("cli/stored/signoff.py", "repr(error)"): ERROR,
    ("rules/judged.py", "each"): NAME,
    ("migration/load.py", "row['why']"): OLD,
    ("model/evidence.py", "row.message"): OLD,
    ("run/runner.py", "self.plan_name"): NAME,
    ("rehearsals/chaos/facts.py", "made.broken"): OUTPUT,
    ("rehearsals/chaos/facts_night.py", "each"): ERROR,
    ("rehearsals/cost/month/bill.py", "'Cloud SQL'"): NAME,
    ("rehearsals/cost/month/bill.py", "'Firebase Storage'"): NAME,
    ("rehearsals/cost/month/bill.py", "'Cloud Logging'"): NAME,
    ("rehearsals/cost/month/bill.py", "'Cloud Monitoring'"): NAME,
    ("rehearsals/deploy/facts.py", "said[0]"): OUTPUT,
    ("rehearsals/deploy/facts.py", "followed.not_applicable"): OUTPUT,
    ("rehearsals/deploy/facts.py", "statement"): TYPED,
    ("rehearsals/dr_restore/procedure.py", "'kubectl rollout restart'"): TYPED,
    ("rehearsals/dr_restore/disasters.py", "found.said.splitlines()[0]"): OUTPUT,
    ("rehearsals/dr_restore/disasters.py", "str(safe.at)"): FIGURES,
    ("rehearsals/dr_restore/facts.py", "written.steps.why"): ERROR,
    ("rehearsals/dr_restore/facts.py", "restart.why"): ERROR,
    ("rehearsals/dr_restore/on_stack.py", "INSTANCE"): NAME,
    ("rehearsals/dr_restore/on_stack.py", "each of strange[:_EXAMPLES]"): NAME,
    ("rehearsals/migration_drill/types.py", "self.wrong"): OLD,
    ("rehearsals/network/facts.py", "details.trouble"): ERROR,
    ("rehearsals/operations/facts.py", "f'{command}: {said}'"): OUTPUT,
    ("rehearsals/operations/facts.py", "pod.why"): OUTPUT,
    ("rehearsals/rollout/sections.py", "'SELECT utc, kind, subject, message FROM events ORDER BY at_ns, seq;'"): TYPED,
    ("rehearsals/runbooks/rehearsal.py", "f\"kubectl {' '.join(line.words)}\""): TYPED,
    ("rehearsals/runbooks/rehearsal.py", "block.heading"): "a heading of the runbook that is run",
    ("rehearsals/scaling/rehearsal.py", "f\"kubectl {' '.join(words)}\""): TYPED,
    ("report/course.py", "name"): NAME,
    ("report/course.py", "path"): FIGURES,
    ("stack/kind/images/offline.py", "failed[each]"): OUTPUT,
    ("stack/kind/images/offline.py", "line"): OUTPUT,
    ("model/judgement.py", "each"): NAME,
}  # fmt: skip
MARKED = "an id that is marked where it is written"
FILED = "a sentence of a data file, which the catalogues have"
DESCRIBED = "what a plan's field has to be, which the catalogue has"
RAISED = "what an error was given: an id, or somebody else's words"

#: By file, what is looked up as an id without being written as one where it is, and whose it is.
LOOKED_UP = {
    ("rehearsals/dr_restore/facts.py", "VERDICT[case.verdict]"): MARKED,
    ("rehearsals/load_stages/facts.py", "VERDICT[made.verdict]"): MARKED,
    ("base/message.py", "str(said)"): RAISED,
    ("base/message.py", "text"): "the maker of all messages",
    ("base/planfile.py", "described"): DESCRIBED,
    ("base/planfile.py", "meta.description or meta.pattern"): DESCRIBED,
    ("base/planfile.py", "quantity.what"): MARKED,
    ("base/planfile.py", "words.what"): MARKED,
    ("base/units.py", "_FOR_EXAMPLE"): MARKED,
    ("checks/dual_write.py", "FLAW_WORDS[self.flaw]"): MARKED,
    ("checks/reads.py", "self.flaw"): MARKED,
    ("checks/walk_continuity.py", "text"): MARKED,
    ("cli/migrate.py", "UNTRIED"): MARKED,
    ("cli/stored/evidence.py", "lacking"): MARKED,
    ("cli/unused.py", "self.kind"): MARKED,
    ("checks/contract/facts.py", "DOCUMENT"): MARKED,
    ("checks/contract/facts.py", "FINDINGS[run.deviation.finding]"): MARKED,
    ("checks/contract/facts.py", "GRADES[run.deviation.grade]"): MARKED,
    ("checks/contract/facts.py", "PHRASES[DEVIATIONS]"): MARKED,
    ("checks/contract/facts.py", "run.sentence"): MARKED,
    ("checks/contract/runner.py", "GRADES[found.grade]"): MARKED,
    ("checks/contract/sections.py", "what"): MARKED,
    ("rules/figures.py", "_FAILED[criterion.asks]"): MARKED,
    ("rules/figures.py", "_MEASURED[metric]"): MARKED,
    ("rules/flag_log.py", "_NO_FETCH"): MARKED,
    ("rules/flag_log.py", "text"): MARKED,
    ("rules/judged.py", "COUNTED[check]"): MARKED,
    ("rules/chance.py", "SUBJECT[criterion.asks]"): MARKED,
    ("rules/rollback.py", "_FIRED_WORDS[criterion.metric, criterion.asks]"): MARKED,
    ("rules/sentences.py", "METRIC[criterion.metric]"): MARKED,
    ("rules/sentences.py", "_WHOSE[criterion.asks]"): MARKED,
    ("migration/telling.py", "_FATES[Fate(name)]"): MARKED,
    ("model/parts.py", "part.title"): FILED,
    ("model/stack.py", "FAULT[self.kind]"): MARKED,
    ("model/judgement.py", "OUTCOME[outcome]"): MARKED,
    ("model/judgement.py", "word"): MARKED,
    ("rules/objectives/budget.py", "by.bad"): MARKED,
    ("rules/objectives/budget.py", "by.none"): MARKED,
    ("rules/objectives/budget.py", "by.well"): MARKED,
    ("run/scenarios/criteria.py", "what"): MARKED,
    ("run/arguments.py", "options.rung_reason"): MARKED,
    ("run/arguments.py", "options.target.name"): MARKED,
    ("run/arguments.py", "title"): FILED,
    ("run/rehearsal.py", "patch.reason"): FILED,
    ("run/rehearsal.py", "titled.title"): FILED,
    ("run/context.py", "verdict_id(each)"): MARKED,
    ("rehearsals/chaos/flow.py", "experiment.title"): FILED,
    ("rehearsals/chaos/rehearsal.py", "planned.experiment.title"): FILED,
    ("rehearsals/chaos/rehearsal.py", "titles.pop()"): FILED,
    ("rehearsals/chaos/rehearsal.py", "plan.experiments[made.number - 1].experiment.title"): FILED,
    ("rehearsals/conformance/rehearsal.py", "each.without"): MARKED,
    ("rehearsals/dr_restore/rehearsal.py", "VERDICT[case.verdict]"): MARKED,
    ("rehearsals/load_stages/rehearsal.py", "VERDICT[result.verdict]"): MARKED,
    ("rehearsals/migration_drill/facts.py", "each.name"): MARKED,
    ("rehearsals/one_stack/facts.py", "what"): MARKED,
    ("rehearsals/one_stack/rehearsal.py", "leg.scenario.title"): FILED,
    ("rehearsals/operations/rehearsal.py", "WORD[ClaimState(each.state)]"): MARKED,
    ("rehearsals/rollout/sequence.py", "planned.scenario.title"): FILED,
    ("rehearsals/rollout/sequence.py", "_DONE[self.decision]"): MARKED,
    ("rehearsals/security/checks/secrets.py", "what"): MARKED,
    ("rehearsals/security/facts.py", "runs[id_].sentence"): MARKED,
    ("report/course.py", "_WORST[name]"): MARKED,
    ("report/course.py", "name"): MARKED,
    ("model/judgement.py", "known[each]"): MARKED,
    ("rules/engine.py", "WANTED[line.verb]"): MARKED,
    ("rules/engine.py", "rule.says"): FILED,
    ("rules/rule.py", "self._phrases[name]"): MARKED,
    ("cli/stored/claim_page.py", "CAPABILITY[each]"): MARKED,
    ("cli/observe/page.py", "DECISION[before.decision]"): MARKED,
    ("cli/observe/page.py", "scenario.title"): FILED,
    ("cli/observe/page.py", "verdict_id(found)"): MARKED,
    ("cli/stored/claim_page.py", "otherwise"): MARKED,
    ("cli/stored/claim_page.py", "WANTED[line.verb]"): MARKED,
    ("cli/stored/claim_page.py", "phrase"): MARKED,
    ("report/signoff/counting.py", "ASK"): MARKED,
    ("report/signoff/decisions.py", "WORD[state]"): MARKED,
    ("report/signoff/document.py", "erratum.correction"): MARKED,
    ("report/signoff/document.py", "erratum.why"): MARKED,
    ("report/signoff/ledger.py", "event.source"): FILED,
    ("report/signoff/ledger.py", "event.title"): FILED,
    ("report/signoff/document.py", "plan.title"): FILED,
    ("report/signoff/states.py", "erratum.correction"): MARKED,
    ("report/signoff/states.py", "erratum.why"): MARKED,
    ("stack/kind/addon.py", "self.told"): MARKED,
    ("stack/kind/commands.py", "what"): MARKED,
    ("stack/kind/docker.py", "what"): MARKED,
    ("stack/manifests/unsupported_features.py", "why"): MARKED,
    ("stack/state/npm.py", "tree.what"): MARKED,
}  # fmt: skip
MAY_HOLD = re.compile(r"""\braw_text\b|\bmessage\(\s*["']\{\w+\}["']""")


def test_what_is_passed_on_word_for_word_is_somebody_elses() -> None:
    found = Counter(
        (str(path.relative_to(ROOT / "harness")), text)
        for path in sorted((ROOT / "harness").rglob("*.py"))
        for text in word_for_word(path.read_text())
    )
    assert found == Counter(WORD_FOR_WORD.keys())


def test_what_is_looked_up_by_a_name_is_an_id_that_is_marked_elsewhere_or_was_given() -> None:
    found = {
        (str(path.relative_to(ROOT / "harness")), text)
        for path in sorted((ROOT / "harness").rglob("*.py"))
        for text in looked_up(path.read_text())
    }
    assert found == LOOKED_UP.keys()


def looked_up(source: str) -> Iterator[str]:
    """The ids of messages in that source that are no constants."""
    for node in ast.walk(ast.parse(source)) if re.search(r"\bMessage\(", source) else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Message":
            given = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "text")]
            yield from (ast.unparse(each) for each in given if not isinstance(each, ast.Constant))


def word_for_word(source: str) -> Iterator[str]:
    """What is passed to ``raw_text``, or stands alone in a message that it would make, in that source."""
    if not MAY_HOLD.search(source):  # seen faster than parsed
        return
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        first = node.args[0] if node.args else None
        if node.func.id == "raw_text" and first is not None:
            yield ast.unparse(first)
        if node.func.id == "map" and first is not None and ast.unparse(first) == "raw_text":
            yield f"each of {ast.unparse(node.args[1])}"
        if node.func.id == "message" and isinstance(first, ast.Constant) and _only_a_place(str(first.value)):
            yield from (ast.unparse(each.value) for each in node.keywords if not _is_own(source, each))


def _only_a_place(text: str) -> bool:
    return text.startswith("{") and text.endswith("}") and text[1:-1].isidentifier()


def _is_own(source: str, given: ast.keyword) -> bool:
    """Whether it is ``raw_text`` itself."""
    return given.arg == "words" and "def raw_text" in source


def test_our_own_english_in_another_s_place_is_found() -> None:
    source = "a = raw_text('; '.join(told))\nb = message('{it}', it=told)\nc = message('{it} here', it=told)\n"
    assert [*word_for_word(source)] == ["'; '.join(told)", "told"]


def test_an_id_that_is_no_constant_is_found() -> None:
    source = "a = Message(text=error.what)\nb = Message(text='of ours')\nc = Message(text=f'{x} failed', values={})\n"
    assert [*looked_up(source)] == ["error.what", "f'{x} failed'"]
