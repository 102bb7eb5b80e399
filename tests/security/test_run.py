"""``python -m harness security`` as a person runs it, on the real local stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.rehearsals.security.checks import ALL
from harness.rehearsals.security.ground import TOKEN
from tests.conformance.outcomes import of_judgement
from tests.conformance.targets import document, folder_of, told_to_its_end
from tests.main_job import left_of
from tests.security.test_plants import NOT_HERE, OF_OUR_OWN

#: Of each group some, at a push.
SOME = ("token.a*", "account.*", "production.none*", "heavy.rate", "privilege.*", "secret.*")
#: What an environment without a cluster cannot tell.
NO_API_SERVER = {"privilege.can_i", "secret.images"}


def looked_at(reports: Path, *words: str) -> None:
    done = told_to_its_end("security", reports, "--on", "local", "--seed", "7", *words, limit_s=280.0)
    assert done.returncode == Exit.OK, done.stderr
    result = document(reports)
    ids = {check.id for check in ALL}
    found = {each.id: str(of_judgement(each)) for each in result.judgements if each.id in ids}
    others = {id_: outcome for id_, outcome in found.items() if outcome != "passed"}
    assert others == dict.fromkeys(OF_OUR_OWN, "advice") | dict.fromkeys(NOT_HERE | NO_API_SERVER, "not_exercised")
    assert result.facts.leaks == result.facts.errors == ()
    assert left_of(result.run_id) == set()
    for path in folder_of(reports).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not TOKEN.search(content), path
            assert b"canary-" not in content, path


@pytest.mark.stack
@pytest.mark.slow
def test_some_checks_of_each_group_on_the_bundled_api(tmp_path: Path) -> None:
    looked_at(tmp_path, *(word for pattern in SOME for word in ("--only", pattern)))


@pytest.mark.stack
@pytest.mark.nightly
@pytest.mark.slow
def test_every_check_on_the_bundled_api(tmp_path: Path) -> None:
    looked_at(tmp_path)
    claimed = {each.claim: str(each.verdict) for each in document(tmp_path).judgements if each.claim}
    assert claimed["security.iam.firebase"] == "erratum_shown"
