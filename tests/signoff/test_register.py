"""Every claim has a way to a state, and the register says the true one."""

from __future__ import annotations

import pytest

from harness.base import planfile
from harness.base.data import PLANS, ROOT
from harness.base.typed import PROGRAM
from harness.cli.main import parse
from harness.model.stack import EnvironmentKind
from harness.rehearsals.dr_restore.types import CLAIMS
from harness.report.signoff.document import EvidencePlan
from harness.report.signoff.states import way
from harness.report.signoff.types import ClaimState
from harness.stack import manifests
from harness.stack.target.targets import bundled
from tests import register as claims
from tests.signoff import naming
from tests.signoff.naming import FOLDERS, claims_of


def test_every_claim_has_a_way_to_a_state() -> None:
    for claim in claims.REGISTER.values():
        assert set(claim.judged_by) <= FOLDERS.keys(), claim.id
        for command in claim.judged_by:
            assert claim.id in claims_of(command), f"no code or plan of {command} names {claim.id}"


def test_what_a_rehearsal_names_is_said_to_be_judged_by_it() -> None:
    """A claim with a verdict somewhere, or an erratum that is shown, is neither a person's nor without anything that
    judges it."""
    named = {claim for command in FOLDERS for claim in claims_of(command)}
    unsaid = [name for name in sorted(named) if not claims.REGISTER[name].judged_by]
    assert unsaid == []
    by_own = {command: naming.named(PLANS.glob(f"{command}.yaml")) & claims.REGISTER.keys() for command in FOLDERS}
    missing = [
        (command, name)
        for command, names in by_own.items()
        for name in sorted(names)
        if command not in claims.REGISTER[name].judged_by
    ]
    assert missing == []


def test_what_judges_a_claim_whole_is_the_only_part_that_does() -> None:
    """The plan of ``dr_restore`` has no parts on the page, and ``--only`` chooses of what its rehearsal does."""
    judges = {
        claim: tuple(part for part, its in CLAIMS.items() if claim in its) for its in CLAIMS.values() for claim in its
    }
    for claim in claims.REGISTER.values():
        alone = judges.get(claim.id, ())
        whole_in = alone if len(alone) == 1 and claim.judged_by == ("dr_restore",) else ()
        assert claim.whole_in == whole_in, claim.id


@pytest.mark.parametrize(
    ("claim", "command"),
    [
        ("operations.weekly", "operations weekly --seed 1 --own-stack"),
        ("operations.monthly", "operations monthly --seed 1 --own-stack"),
        ("security.network.policy", "network --on kind --seed 1 --ingress"),
        ("checklist.security.workload_identity", "security --on kube --seed 1"),
        ("security.network.tls", ""),  # on a cluster of theirs, where no command brings an Ingress
        ("iac.secrets.csi", ""),
        ("slo.availability", ""),  # a month
    ],
)
def test_the_command_beside_a_claim_is_of_the_whole_evidence_or_there_is_none(claim: str, command: str) -> None:
    lines = [step.run for step in planfile.load(PLANS / "signoff.yaml", EvidencePlan).steps]
    assert way(claims.REGISTER[claim], ClaimState.NOT_SHOWN, lines) == (command and f"{PROGRAM} {command}")


def test_at_least_140_claims_can_be_judged_from_evidence() -> None:
    assert sum(bool(claim.judged_by) for claim in claims.REGISTER.values()) >= 140


def test_which_command_shows_an_erratum_is_current() -> None:
    assert naming.SHOWN_BY.read_bytes() == naming.encoded(), "run: nox -s manual"


def test_a_line_that_shows_an_erratum_is_of_a_command_that_names_it_and_the_whole_evidence_has_it() -> None:
    """But one that names a folder, which is found from the checkout alone, or a list of prices, which is a team's."""
    steps = {step.run for step in planfile.load(PLANS / "signoff.yaml", EvidencePlan).steps}
    for erratum, lines in naming.LINES.items():
        assert any(erratum in naming.errata_of(command) for command in FOLDERS), f"{erratum}: no code names it"
        for line in lines:
            command = parse(line.split())
            assert erratum in naming.errata_of(command.name), line
            own = getattr(command, "manifests", None) or getattr(command, "prices", None)
            assert line in steps or own, f"not in the plan of the whole evidence: {line}"


def test_a_folder_that_shows_an_erratum_has_the_patch_that_mends_it() -> None:
    (line,) = naming.LINES["manifest.sidecar_stops_at_once"]
    folder = ROOT / line.rpartition(" ")[2]
    patches = manifests.load(folder, EnvironmentKind.LOCAL, bundled()).patches
    assert "manifest.sidecar_stops_at_once" in {patch.erratum for patch in patches}
