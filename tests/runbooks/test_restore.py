"""The runbook of the restore, run: every block of the page, in order, on a PostgreSQL 15 whose table was dropped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.rehearsals.runbooks import rehearsal
from harness.rehearsals.runbooks.rehearsal import scripts
from harness.stack.local.site import Site
from tests.runbooks.made import DOCS

LIMIT_S = 120.0
LATE = 'psql "host=127.0.0.1 port=$PORT user=postgres dbname=tekutoko" -Atc "INSERT INTO walks VALUES (11)"'


@pytest.mark.process
async def test_every_block_of_the_page_restores_to_the_moment(tmp_path: Path) -> None:
    site = Site.begin(f"runbook-{tmp_path.name}", tmp_path / "logs", MachineClock())
    variables = rehearsal.variables_in(site)
    try:
        await site.provide(lambda _line: None)
        variables["MOMENT"] = await rehearsal.damaged(site, variables, LIMIT_S)
        blocks = [each.words[0] for each in scripts((DOCS / "runbooks" / "restore.md").read_text("utf-8"))]
        assert len(blocks) == 3
        said = [await rehearsal.run_script(site, block, variables, LIMIT_S) for block in blocks]
        assert [each.status for each in said] == [0, 0, 0], said
        assert re.search(rf"^{rehearsal.WALKS}\|", said[-1].output, re.M), said[-1].output
        assert await rehearsal.walks_again(site, variables, LIMIT_S) == rehearsal.WALKS
        # A moment too late is seen by the page's own check: the walk behind it is there.
        assert (await rehearsal.run_script(site, LATE, variables, LIMIT_S)).status == 0
        assert (await rehearsal.run_script(site, blocks[-1], variables, LIMIT_S)).status != 0
    finally:
        await rehearsal.stop(site, variables, LIMIT_S)
        await site.down()
    assert site.leaks() == []
