"""``size``: of a stored run that found no knee, and of one that did, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from harness.base import planfile
from harness.base.data import PLANS
from harness.base.errors import BadInput, Exit
from harness.cli.main import main
from harness.cli.stored.sizing import Size, SizeFigure, SizePlan, Sizing
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import CostTables
from harness.rehearsals.load_stages.types import LoadStagesDetails
from tests.corpus.today import folder
from tests.rehearsal.made import seen
from tests.stages.made import PLAN
from tests.stages.test_rehearsal import FOUND, search

GIVEN = planfile.bundled("size", SizePlan), planfile.bundled("cost", CostTables), planfile.bundled("prices", Prices)


def answered(*tries: tuple[float, float], factor: float = 1.0) -> Size:
    """The answer of a search by two pods, with 16 connections of the 100 that the database has."""
    details, rows = search(*tries)
    made = [msgspec.structs.replace(each, database_connections=16, database_limit=100) for each in details.made]
    details = LoadStagesDetails(made=made, sized=details.sized, knee_cpu_factor=factor)
    return Sizing(*GIVEN, PLAN, seen(details, rows)).answer()


def ends(figures: tuple[SizeFigure, ...]) -> dict[str, tuple[float, float]]:
    return {each.name: (round(each.low, 2), round(each.high, 2)) for each in figures}


def test_a_knee_of_two_pods_sizes_by_hand() -> None:
    """30.6/s were kept and 33 broke; every answer took 50 ms: 15.3/s are 0.765 erlangs for a pool, of which 0.2117 wait
    for one of two and 0.0464 for one of three. 100/s are 6.54 erlangs for pods: seven are the fewest."""
    found = answered(*FOUND)
    assert ends(found.measured)["carries"] == (15.3, 16.5)
    assert ends(found.measured)["takes"] == (0, 0.05) and ends(found.measured)["seen"] == (8, 8)
    few, many, most = found.sizes
    assert ends(few.figures)["pods"] == (2, 2) and few.rate_per_s == 10
    taken = ends(many.figures)
    assert (taken["pods"], taken["pool"], taken["max_connections"]) == ((7, 7), (1, 3), (11, 27))
    # pods 152.16, database 164.88, storage 101.17, logs 207.83, metrics 10.67, load balancer 18.25
    assert taken["cost"] == pytest.approx((654.96, 654.96), abs=0.05)
    assert ends(most.figures)["pods"] == (61, 66)  # 60.6 and 65.4 erlangs
    assert "db-custom-2-7680" in {each.text for each in most.figures}


def test_the_first_limit_is_named_for_each_number_of_users() -> None:
    """Ten pods carry 7,251 users by the rate that was kept; eleven fit into the 97 connections of the tier."""
    found = answered(*FOUND)
    assert [each.name for each in found.limits] == ["seen", "hpa_max", "connections", "pool"]
    low, high = ends(found.limits)["hpa_max"]
    assert 10 * 15.3 * 50 * 0.93 < low < 10 * 15.3 * 50 and 10 * 16.5 * 50 * 0.93 < high < 10 * 16.5 * 50
    few, many, most = ([str(line) for line in each.ends] for each in found.sizes)
    assert few == ["no limit ends; the first would be what was seen of the database: at least 1530 users"]
    assert many == ["what was seen of the database may end: at least 1530 users"]
    assert most[1].startswith("the HPA's most pods, 10 ends: ") and len(most) == 4 - (
        ends(found.limits)["pool"][0] > 5e4
    )


def test_less_cpu_than_the_manifests_bounds_a_pod_by_its_share() -> None:
    assert ends(answered(*FOUND, factor=0.5).measured)["carries"] == (15.3, 33)


def test_a_run_that_kept_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="kept no rate"):
        answered((20, 900.0), (20, 900.0))


@pytest.mark.parametrize(("lang", "words"), [("en", "no knee was found"), ("ja", "限界点")])
def test_of_a_stored_run_without_a_knee_the_figures_are_at_least(
    lang: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["size", "--of", str(folder("load_stages_passes"))]
    assert main([*run, "--lang", lang]) == Exit.OK
    said = capsys.readouterr().out
    assert words in said and "asia-northeast1" in said and "8.33" in said
    assert main([*run, "--json"]) == Exit.OK
    carries, *_ = json.loads(capsys.readouterr().out)["measured"]
    assert (carries["name"], round(carries["low"], 2), carries["high"]) == ("carries", 8.33, None)


def test_another_run_and_another_s_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "--of", str(folder("cost"))]) == Exit.USAGE
    assert "name a run of load_stages" in capsys.readouterr().err
    path = tmp_path / "ours.yaml"
    path.write_text((PLANS / "size.yaml").read_text().replace("[500, 5000, 50000]", "[700]"))
    assert main(["size", "--of", str(folder("load_stages_passes")), "--plan", str(path), "--json"]) == Exit.OK
    assert [each["users"] for each in json.loads(capsys.readouterr().out)["sizes"]] == [700]
