"""axe-core in a page: what keeps a person from reading it, by WCAG 2.2 AA. Installed by a locked npm package; a page's own
scripts stay forbidden, and axe-core comes over the DevTools protocol."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from harness.stack.state import npm
from tests.report.browser import Browser

TREE = npm.Tree(what="axe-core", sources=Path(__file__).with_name("node"))
#: WCAG 2.2 AA: its rules and those of the versions that it contains.
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
#: The one rule that depends on whether the page is light or dark.
COLOURS = ("color-contrast",)
_RUN = """axe.run({runOnly: {type: %s, values: %s}, resultTypes: ["violations"]}).then(found => JSON.stringify(
  found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(" ")}: ${node.any.concat(
    node.all, node.none).map(check => check.message).join("; ")}`))))"""


@cache
def _source() -> str:
    return (npm.ensure(TREE, lambda line: None) / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(browser: Browser, *, colours_alone: bool = False) -> list[str]:
    """Each violation of the page that is open: rule, element, what is wrong. ``colours_alone``: of the contrast."""
    kind, values = ("rule", COLOURS) if colours_alone else ("tag", WCAG)
    browser.do("Runtime.evaluate", expression=_source())
    asked = _RUN % (json.dumps(kind), json.dumps(values))
    answer = browser.do("Runtime.evaluate", expression=asked, awaitPromise=True, returnByValue=True)
    found: list[str] = json.loads(answer["result"]["value"])
    return found
