"""The Ingress in front: a controller brought, kept out, let in, the component applied, asked by HTTPS, renewed.

An authority and its certificates for one run: made when they are needed, kept in memory, never written.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.base.clock import NS, Clock, polling, utc
from harness.base.errors import BadInput, StackNotStarted
from harness.base.theirs import read_json
from harness.checks.told import says_nothing
from harness.load.http1 import PhoneAnswer
from harness.load.rest import ASK_LIMIT_S, answered, exchange
from harness.model.entry import IngressEntry
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.rehearsals.network.clients import EDGE, Clients
from harness.rehearsals.network.facts import as_wanted, ask_kept, kept_out
from harness.rehearsals.network.https import HttpsAnswer, Request, ask, trusting
from harness.rehearsals.network.matrix import Matrix
from harness.rehearsals.network.types import (
    FrontOutcome,
    IngressAnswer,
    IngressAsk,
    IngressCourse,
    IngressEvidence,
    IngressHost,
    IngressPlan,
    Lists,
    NetworkClient,
    NetworkDetails,
    NetworkPlan,
    Scene,
)
from harness.run.context import RunContext
from harness.stack.firebase.rest import sign_up
from harness.stack.manifests.change import http_allowed, ingresses
from harness.stack.process.waiting import together
from harness.stack.protocol import Stack, WithIngress, WithOutside

_VALID = timedelta(days=1)
_BEFORE = timedelta(minutes=5)  # clocks of the cluster's nodes are this machine's; a little slack all the same


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """PEM both; ``serial`` as hex digits in upper case."""

    chain: bytes
    key: bytes
    serial: str


class Authority:
    """A self-signed authority that nobody else trusts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TekuToko rehearsal")])
        made = self._builder(self._name, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate = made.add_extension(_usage(signs=True), critical=True).sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(Encoding.PEM)

    def issue(self, host: str, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH) -> Certificate:
        """A certificate for ``host``, with a key of its own: a server's, or what ``usage`` says."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key.public_key())
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        signed = made.add_extension(_usage(signs=False), critical=True).sign(self._key, hashes.SHA256())
        return Certificate(
            chain=signed.public_bytes(Encoding.PEM),
            key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            serial=f"{signed.serial_number:X}",
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.fromisoformat(utc(self._clock.anchor, self._clock.now_ns()))
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - _BEFORE).not_valid_after(now + _VALID)
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return made.add_extension(ours, critical=False).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key), critical=False
        )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip


LIST = "/v1/walks"
USERS = 8  # in turn: 10 requests/s are 75 a minute for each, below the rate limit
OTHER_HOST = "other.tekutoko.example"
_WALK = b'{"title":"through the Ingress"}'
_AGAIN_S = 0.5
_BEFORE_THE_CHANGE = 0.25  # of the time of a course


class IngressStack(Stack, WithOutside, WithIngress, Protocol):
    """What a stack has to be for this."""


class NamedIngress(msgspec.Struct, frozen=True, kw_only=True):
    """What the component's Ingress says of itself."""

    ingress_class: str
    host: str
    secret: str


def named(manifests: Manifests) -> NamedIngress:
    """Of the one Ingress. Raises ``BadInput`` when there is none, or it ends no TLS."""
    found = [document for key, document in manifests.documents.items() if key.startswith("Ingress/")]
    where = manifests.folder
    if len(found) != 1:
        remedy = "add one, with TLS; leave --manifests out for the rehearsal's own"
        raise BadInput(
            message("the manifests have {count} Ingresses", count=str(len(found))), where=where, remedy=remedy
        )
    spec, annotations = found[0]["spec"], found[0]["metadata"].get("annotations", {})
    tls = [each for each in spec.get("tls") or [] if each.get("hosts") and each.get("secretName")]
    if not tls:
        raise BadInput("the Ingress names no host and Secret for TLS", where=where, remedy="add spec.tls")
    return NamedIngress(
        ingress_class=spec.get("ingressClassName") or annotations.get("kubernetes.io/ingress.class", ""),
        host=tls[0]["hosts"][0],
        secret=tls[0]["secretName"],
    )


class Front:
    """``run`` once, when the policies are in force; what it saw is in the details, also after an error."""

    def __init__(
        self, on: RunContext[NetworkDetails], manifests: Manifests, plan: NetworkPlan, clients: Clients, matrix: Matrix,
        *, stack: IngressStack,
    ) -> None:  # fmt: skip
        self._on = on
        self._stack = stack
        self._manifests = manifests
        self._named = named(manifests)
        self._paths = plan
        self._plan: IngressPlan = plan.ingress
        self._clients = clients
        self._matrix = matrix
        self._clock = on.clock
        self._evidence = on.evidence
        self._authority = Authority(on.clock)
        self._trust = trusting(self._authority.pem)
        self._tokens: list[str] = []
        self._entry: IngressEntry | None = None
        on.details.ingress = self._seen = IngressEvidence(wanted=ingresses(manifests))

    async def run(self) -> None:
        """The scenes in order. Raises ``StackNotStarted``, ``PartDied``."""
        self._see(before=await self._listed())
        endpoints = self._stack.endpoints()
        users = [await sign_up(endpoints.auth, endpoints.project_id, f"ingress{n}") for n in range(USERS)]
        self._tokens = [user.token for user in users]
        in_the_clear = await self._by_service()
        by_https = await ask(endpoints.service, self._list(0), self._trust)
        self._see(service_https=by_https.met, service_http=in_the_clear.status)
        await self._kept_out()
        await self._opened()
        await self._as_written()
        self._on.say(message("renewing the certificate under HTTPS"))
        self._see(renewal=await self._course(self._renew))
        self._on.say(message("replacing the pods under HTTPS"))
        self._see(update=await self._course(self._stack.restart))

    async def _kept_out(self) -> None:
        """The controller without the label, an Ingress that forbids nothing yet."""
        self._on.say(message("bringing an Ingress controller, its pod without the label that the policy lets in"))
        self._entry = await self._stack.start_ingress(self._named.ingress_class, {})
        certificate = self._authority.issue(self._named.host)
        await self._stack.put_certificate(self._named.secret, certificate.chain, certificate.key)
        self._see(issued=certificate.serial)
        await self._stack.apply(http_allowed(self._manifests))
        first = [each for each in self._plan.asks if each.status][:1]
        await self._asked(Scene.KEPT_OUT, first, lambda _ask, answer: kept_out(answer))

    async def _opened(self) -> None:
        """The controller with the label; users have both ways."""
        self._on.say(message("its pod with the label"))
        self._entry = await self._stack.start_ingress(self._named.ingress_class, EDGE)
        await self._asked(Scene.OPEN, [each for each in self._plan.asks if each.status], ask_kept)
        await self._plainly(Scene.OPEN, lambda met: met is FrontOutcome.ANSWERED)
        service, ingress = await self._by_service(), await self._https(self._list(0))
        there = _document(service.body)
        listed = there.get("walks")
        walks = len(listed) if isinstance(listed, list) else 0
        self._see(lists=Lists(service=_digest(there), ingress=_through(ingress), walks=walks))

    async def _as_written(self) -> None:
        """The component: no plain HTTP, no other way in."""
        self._on.say(message("applying the component ingress"))
        await self._stack.apply(self._manifests)
        await self._plainly(Scene.AS_WRITTEN, lambda met: met.kept_out)
        await self._asked(Scene.AS_WRITTEN, self._plan.asks, ask_kept)
        service = next(key.partition("/")[2] for key in self._manifests.documents if key.startswith("Service/"))
        asked = await self._https(self._list(0), trusted=False)
        self._see(
            after=await self._listed(),
            service_type=(await self._clients.read("get", "service", service))["spec"]["type"],
            without_ca=asked.met,
            paths_hold=await self._paths_hold(),
        )

    async def _renew(self) -> None:
        certificate = self._authority.issue(self._named.host)
        self._see(renewed=certificate.serial)
        await self._stack.put_certificate(self._named.secret, certificate.chain, certificate.key)

    # -- asking --------------------------------------------------------------------------------------------------

    async def _asked(
        self, scene: Scene, asks: Sequence[IngressAsk], right: Callable[[IngressAsk, IngressAnswer], bool]
    ) -> None:
        """Each ask until it is right, all within the plan's time; the last answers count."""
        again = polling(self._clock, limit_s=self._plan.follows_within_s, every_s=_AGAIN_S)
        found: dict[str, IngressAnswer] = {}
        while True:
            for each in asks:
                if each.name not in found or not right(each, found[each.name]):
                    answer = await self._https(self._request(each))
                    found[each.name] = self._answer(each.name, scene, answer, self._clock.now_ns())
            good = all(right(each, found[each.name]) for each in asks)
            if good or not await again():
                break
        self._see(answers=(*self._seen.answers, *found.values()))
        for name, got in found.items():
            self._evidence.event(got.at_ns, "dial", "ingress", f"{name}: {got.told}", scene=str(scene))
        self._on.say(
            message(
                "{scene}: {count} requests by HTTPS, {ending}",
                scene=str(scene),
                count=str(len(asks)),
                ending=message("as wanted") if good else message("not as wanted"),
            )
        )

    async def _plainly(self, scene: Scene, right: Callable[[FrontOutcome], bool]) -> None:
        """What a pod without any label meets at the controller's port of plain HTTP."""
        assert self._entry is not None
        host, _, port = self._entry.plain.partition(":")
        stranger = next(each for each in await self._clients.askers() if each.client is NetworkClient.STRANGER)
        again = polling(self._clock, limit_s=self._plan.follows_within_s, every_s=_AGAIN_S)
        while True:
            said = await self._clients.ask(stranger, [("plain", host, int(port), "http")])
            met = FrontOutcome(said["plain"])
            if right(met) or not await again():
                break
        self._see(plain={**self._seen.plain, scene: met})
        self._on.say(message("{scene}: plain HTTP {met}", scene=str(scene), met=str(met)))

    async def _course(self, change: Callable[[], Awaitable[None]]) -> IngressCourse:
        """Requests on new connections, evenly, while ``change`` is made, for the plan's time or longer."""
        plan, times, found = self._plan, [0, 0], list[IngressAnswer]()
        start_ns, asking = self._clock.now_ns(), list[asyncio.Task[None]]()

        async def changing() -> None:
            await self._clock.sleep(plan.renewal_s * _BEFORE_THE_CHANGE)
            times[0] = self._clock.now_ns()
            await change()
            times[1] = self._clock.now_ns()

        async def one(number: int, due_ns: int) -> None:
            answer = await self._https(self._list(number))
            found.append(self._answer(f"GET {LIST}", Scene.AS_WRITTEN, answer, due_ns))

        async def evenly() -> None:
            while not times[1] or self._clock.now_ns() < start_ns + plan.renewal_s * NS:
                due_ns = start_ns + round(len(asking) / plan.rate_per_s * NS)
                await self._clock.sleep(max(0.0, (due_ns - self._clock.now_ns()) / NS))
                asking.append(asyncio.ensure_future(one(len(asking), due_ns)))
                for task in filter(asyncio.Task.done, asking):
                    task.result()
            await asyncio.gather(*asking)

        try:
            await together(changing(), evenly())
        finally:
            for task in asking:
                task.cancel()
        return IngressCourse(
            changed_ns=times[0], done_ns=times[1] or None, answers=tuple(sorted(found, key=lambda each: each.at_ns))
        )

    async def _paths_hold(self) -> bool:
        """Whether the paths between pods are as wanted in some round within the plan's time."""
        again = polling(self._clock, limit_s=self._plan.follows_within_s, every_s=_AGAIN_S)
        while not as_wanted(self._paths.paths, await self._matrix.ask("fronted")):
            if not await again():
                return False
        return True

    async def _https(self, request: Request, *, trusted: bool = True) -> HttpsAnswer:
        assert self._entry is not None
        return await ask(self._entry.https, request, self._trust if trusted else trusting())

    def _request(self, each: IngressAsk) -> Request:
        other = {IngressHost.ITS: (), IngressHost.OTHER: ("name", "host"), IngressHost.OTHER_HEADER: ("host",)}[
            each.host
        ]
        hosts = {name: OTHER_HOST if name in other else self._named.host for name in ("name", "host")}
        body = _WALK if each.method in ("POST", "PUT") else b""
        return Request(
            **hosts, method=each.method, path=each.path, token=self._tokens[0] if each.token else "", body=body
        )

    def _list(self, number: int) -> Request:
        host = self._named.host
        return Request(name=host, host=host, method="GET", path=LIST, token=self._tokens[number % USERS])

    async def _by_service(self) -> PhoneAnswer:
        """The same list, of the Service, asked as users asked it before. Raises ``StackNotStarted``."""
        service = self._stack.endpoints().service
        answer = await answered(exchange(service, "GET", LIST, self._tokens[0], b""), ASK_LIMIT_S)
        if not answer.status:
            raise StackNotStarted("the Service does not answer", where=str(service))
        return answer

    def _answer(self, name: str, scene: Scene, found: HttpsAnswer, at_ns: int) -> IngressAnswer:
        return IngressAnswer(
            ask=name, scene=scene, met=found.met, status=found.status, reached=found.reached, serial=found.serial,
            at_ns=at_ns,
        )  # fmt: skip

    async def _listed(self) -> tuple[str, ...]:
        listed = await self._clients.read("get", "ingresses")
        return tuple(sorted(item["metadata"]["name"] for item in listed["items"]))

    def _see(self, **changes: object) -> None:
        self._on.details.ingress = self._seen = msgspec.structs.replace(self._seen, **changes)


def _document(body: bytes) -> dict[str, Any]:
    return read_json(body, dict[str, Any]) or {}


def _through(answer: HttpsAnswer) -> str:
    """What came of the list: "" where nobody knows, for it was not answered."""
    return "" if says_nothing(answer.status) else _digest(_document(answer.body)) or "no document"


def _digest(document: dict[str, Any]) -> str:
    """ "" of none."""
    text = msgspec.json.encode(document, order="deterministic") if document else b""
    return hashlib.sha256(text).hexdigest() if text else ""
