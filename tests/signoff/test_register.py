"""Every claim has a way to a state, and the register says the true one."""

from __future__ import annotations

import pytest

from harness.base import planfile
from harness.base.data import PLANS, ROOT
from harness.base.typed import PROGRAM
from harness.cli.main import parse
from harness.model.stack import Rung
from harness.rehearsals.dr_restore.expected import CLAIMS
from harness.signoff.making import EvidencePlan
from harness.signoff.types import State
from harness.signoff.ways import way
from harness.stack import manifests
from harness.stack.targets import bundled
from scenarios import claims
from scenarios.errata import SHOWN_BY
from tests.signoff import naming
from tests.signoff.naming import FOLDERS, claims_of


def test_every_claim_has_a_way_to_a_state() -> None:
    for claim in claims.REGISTER.values():
        way = claim.state_from
        assert bool(way.commands) is not way.person, f"{claim.id}: judged, or a person's: one of both, and not both"
        assert set(way.commands) <= FOLDERS.keys(), claim.id
        assert set(way.facts) <= claims.REGISTER.keys() - {claim.id}, claim.id
        for command in way.commands:
            assert claim.id in claims_of(command), f"no code or plan of {command} names {claim.id}"


def test_what_a_rehearsal_names_is_said_to_be_judged_by_it() -> None:
    """A claim with a verdict somewhere, or an erratum that is shown, is neither a person's nor without anything that
    judges it."""
    named = {claim for command in FOLDERS for claim in claims_of(command)}
    unsaid = [name for name in sorted(named) if not claims.REGISTER[name].state_from.commands]
    assert unsaid == []
    by_own = {command: naming.named(PLANS.glob(f"{command}.yaml")) & claims.REGISTER.keys() for command in FOLDERS}
    missing = [
        (command, name)
        for command, names in by_own.items()
        for name in sorted(names)
        if command not in claims.REGISTER[name].state_from.commands
    ]
    assert missing == []


def test_what_judges_a_claim_whole_is_the_only_part_that_does() -> None:
    """The plan of ``dr_restore`` has no parts on the page, and ``--only`` chooses of what its rehearsal does."""
    judges = {
        claim: tuple(part for part, its in CLAIMS.items() if claim in its) for its in CLAIMS.values() for claim in its
    }
    for claim in claims.REGISTER.values():
        alone, way = judges.get(claim.id, ()), claim.state_from
        assert way.whole_in == (alone if len(alone) == 1 and way.commands == ("dr_restore",) else ()), claim.id


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
    assert way(claims.REGISTER[claim], State.NOT_SHOWN, lines) == (command and f"{PROGRAM} {command}")


def test_at_least_140_claims_can_be_judged_from_evidence() -> None:
    assert sum(bool(claim.state_from.commands) for claim in claims.REGISTER.values()) >= 140


def test_which_command_shows_an_erratum_is_current() -> None:
    assert SHOWN_BY.read_bytes() == naming.encoded(), "run: nox -s manual"


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
    patches = manifests.load(folder, Rung.LOCAL, bundled()).patches
    assert "manifest.sidecar_stops_at_once" in {patch.erratum for patch in patches}
