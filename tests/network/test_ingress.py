"""What stands around the Ingress: the run's authority, one request by HTTPS, the manifests on the way, the report."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from harness.base import planfile
from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit
from harness.model.manifests import Manifests
from harness.model.section import Table
from harness.model.stack import Address, EnvironmentKind
from harness.rehearsals.network.clients import EDGE
from harness.rehearsals.network.front import Authority, named
from harness.rehearsals.network.https import HttpsAnswer, Request, ask, trusting
from harness.rehearsals.network.rehearsal import REHEARSAL
from harness.rehearsals.network.types import (
    FrontOutcome,
    IngressAnswer,
    IngressEvidence,
    NetworkDetails,
    NetworkPlan,
    Scene,
)
from harness.stack.kind import ingress as controller
from harness.stack.kind.images import binaries, recipes
from harness.stack.manifests import load as load_manifests
from harness.stack.manifests.change import http_allowed, ingresses, without_ingress
from tests.rehearsal.made import seen
from tests.rehearsal.refused import refused

OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
HOST = "api.tekutoko.example"
FROM_A_POD = b"HTTP/1.1 200 OK\r\nx-envoy-upstream-service-time: 3\r\ncontent-length: 2\r\n\r\n{}"
OF_ITS_OWN = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


def manifests(name: str = "kind-ingress") -> Manifests:
    return load_manifests(OVERLAYS / name, EnvironmentKind.KIND, fronted=True)


# -- the authority and one request -----------------------------------------------------------------------------------


@asynccontextmanager
async def server(authority: Authority, tmp_path: Path, says: bytes, host: str = HOST) -> AsyncIterator[Address]:
    """Ends TLS with a certificate of ``authority`` and says the same to everybody."""
    certificate = authority.issue(host)
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.chain + certificate.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as listening:
        yield Address(host="127.0.0.1", port=listening.sockets[0].getsockname()[1])


def get(name: str = HOST) -> Request:
    return Request(name=name, host=name, method="GET", path="/v1/walks", token="t")


@pytest.mark.process
async def test_only_the_runs_authority_vouches_for_it(tmp_path: Path) -> None:
    clock = MachineClock()
    authority, stranger = Authority(clock), Authority(clock)
    async with server(authority, tmp_path, FROM_A_POD) as address:
        good = await ask(address, get(), trusting(authority.pem))
        assert (good.met, good.status, good.reached, good.body) == (FrontOutcome.ANSWERED, 200, True, b"{}")
        assert len(good.serial) > 30
        assert await ask(address, get(), trusting()) == HttpsAnswer(met=FrontOutcome.UNTRUSTED)
        assert await ask(address, get(), trusting(stranger.pem)) == HttpsAnswer(met=FrontOutcome.UNTRUSTED)
        assert await ask(address, get("another.example"), trusting(authority.pem)) == HttpsAnswer(
            met=FrontOutcome.UNTRUSTED
        )


@pytest.mark.process
async def test_each_certificate_has_a_serial_that_is_served(tmp_path: Path) -> None:
    authority = Authority(MachineClock())
    first, second = authority.issue(HOST), authority.issue(HOST)
    assert first.serial != second.serial and first.key != second.key
    seen = set()
    for _ in range(2):
        async with server(authority, tmp_path, FROM_A_POD) as address:
            seen.add((await ask(address, get(), trusting(authority.pem))).serial)
    assert len(seen) == 2


@pytest.mark.process
async def test_what_a_request_may_meet(tmp_path: Path) -> None:
    authority = Authority(MachineClock())
    trust = trusting(authority.pem)
    async with server(authority, tmp_path, OF_ITS_OWN) as address:
        found = await ask(address, get(), trust)
        assert (found.status, found.reached) == (404, False)
    assert (await ask(address, get(), trust)).met is FrontOutcome.REFUSED  # nobody listens any more
    async with server(authority, tmp_path, b"") as address:
        assert (await ask(address, get(), trust)).met is FrontOutcome.CLOSED


# -- the manifests ---------------------------------------------------------------------------------------------------


def test_the_component_is_opt_in() -> None:
    found = manifests()
    assert ingresses(found) == ("tekutoko-api",)
    assert ingresses(manifests("kind")) == ingresses(manifests("kind-networkpolicy")) == ()
    without = without_ingress(found)
    assert ingresses(without) == ()
    assert without.documents["Service/tekutoko-api"]["spec"]["type"] == "NodePort"
    assert without_ingress(manifests("kind-networkpolicy")) == manifests("kind-networkpolicy")


def test_on_the_way_nothing_is_forbidden_yet() -> None:
    found = manifests()
    way = http_allowed(found)
    assert way.documents["Service/tekutoko-api"]["spec"]["type"] == "NodePort"
    assert "kubernetes.io/ingress.allow-http" not in way.documents["Ingress/tekutoko-api"]["metadata"]["annotations"]
    untouched = found.documents["Ingress/tekutoko-api"]["metadata"]["annotations"]
    assert untouched["kubernetes.io/ingress.allow-http"] == "false"
    assert found.documents["Service/tekutoko-api"]["spec"]["type"] == "ClusterIP"


def test_the_controller_is_of_the_class_that_the_ingress_names() -> None:
    its = named(manifests())
    assert (its.ingress_class, its.host, its.secret) == ("gce", HOST, "tekutoko-api-tls")
    with pytest.raises(BadInput, match="0 Ingresses"):
        named(manifests("kind-networkpolicy"))
    bare = msgspec.json.decode(msgspec.json.encode(manifests().documents))
    del bare["Ingress/tekutoko-api"]["spec"]["tls"]
    with pytest.raises(BadInput, match="no host and Secret"):
        named(msgspec.structs.replace(manifests(), documents=bare))


def test_manifests_without_an_ingress_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.cli.main import main

    words = ["network", "--ingress", "--on", "kind", "--manifests", str(OVERLAYS / "kind-networkpolicy")]
    assert main([*words, "--reports", str(tmp_path)]) == Exit.USAGE
    assert "the manifests have 0 Ingresses" in capsys.readouterr().err


# -- the controller --------------------------------------------------------------------------------------------------


def test_the_controller_may_read_one_namespace_and_change_nothing_but_a_status() -> None:
    found = controller.documents("image:1", "gce", EDGE)
    assert {each["kind"] for each in found} == {"ServiceAccount", "Role", "RoleBinding", "Service", "Deployment"}
    (role,) = (each for each in found if each["kind"] == "Role")
    for rule in role["rules"]:
        changes = set(rule["verbs"]) - {"get", "list", "watch"}
        assert not changes or rule["resources"] == ["ingresses/status"]
    pod = next(each for each in found if each["kind"] == "Deployment")["spec"]["template"]
    assert EDGE.items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["automountServiceAccountToken"] is False and pod["spec"]["securityContext"]["runAsNonRoot"]
    contour, envoy = pod["spec"]["containers"]
    assert "--ingress-class-name=gce" in contour["command"] and "set-by-the-rung" not in str(found)
    assert "serviceaccount" not in str(envoy["volumeMounts"]), "Envoy has no token"
    assert [each["image"] for each in (contour, envoy, *pod["spec"]["initContainers"])] == ["image:1"] * 3


def test_without_labels_the_pod_has_none_that_a_policy_lets_in() -> None:
    pod = next(each for each in controller.documents("i", "gce", {}) if each["kind"] == "Deployment")
    assert not EDGE.keys() & pod["spec"]["template"]["metadata"]["labels"].keys()


@pytest.mark.process
def test_an_ordinary_run_never_builds_it() -> None:
    clock = MachineClock()
    assert recipes.ingress().name not in {each.name for each in recipes.ours(clock)}
    assert binaries.CONTOUR.version().startswith("v1.")
    assert recipes.ingress().packages == recipes.api(clock).packages, "the API's base serves"


# -- the plan and the report -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("host: other,", "host: elsewhere,", "'elsewhere' is none of its, other"),
        ("ask: GET /ready", "ask: GET /health", "is there twice"),
        ("ask: GET /ready", "ask: /ready", "no method and path"),
        ("rate: 10/s\n  asks", "rate: 1000/s\n  asks", "out of range .above 0, at most 50/s"),
        ("status: 0", "status: 200", "what a pod answers, and for what none may"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert re.search(told, refused("network", NetworkPlan, tmp_path, old, new))


def test_what_was_asked_is_on_the_page() -> None:
    answers = (
        IngressAnswer(ask="GET /v1/walks", scene=Scene.KEPT_OUT, met=FrontOutcome.ANSWERED, status=503),
        IngressAnswer(ask="GET /<x>", scene=Scene.AS_WRITTEN, met=FrontOutcome.CLOSED),
    )
    details = NetworkDetails(ingress=IngressEvidence(wanted=("i",), answers=answers))
    (table,) = REHEARSAL.sections(planfile.bundled("network", NetworkPlan), seen(details))
    assert isinstance(table, Table)
    assert [tuple(map(str, row.cells)) for row in table.rows] == [
        ("GET /v1/walks", "its pod without the label", "503 of the controller"),
        ("GET /<x>", "the component as it is", "closed"),
    ]
