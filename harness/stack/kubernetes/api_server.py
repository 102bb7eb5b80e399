"""The API server: raw JSON requests, watches and log streams through the official client's connection and credentials.

Raw documents, because manifests are documents too, a user's own kinds among them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.base.clock import Clock
from harness.base.errors import NOT_JSON, RehearsalError, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.message import message
from harness.stack.target.scraping import ClientCertificate

if TYPE_CHECKING:
    import aiohttp
    from kubernetes.aio.client import ApiClient

ASK_LIMIT_S = 20.0
FIELD_MANAGER = "tekutoko-rehearsal"
NOT_FOUND = 404
CONFLICT = 409
GONE = 410
_RELIST_AFTER_S = 1.0

Json = dict[str, Any]
Query = Mapping[str, str | int]


def _broken() -> tuple[type[Exception], ...]:
    """Return what a connection that breaks raises."""
    import aiohttp

    return (aiohttp.ClientError, OSError)


class ApiServerError(RehearsalError):
    """The API server answered with an error status, or not at all (status 0)."""

    exit = StackNotStarted.exit

    def __init__(self, status: int, what: str, where: str, message: str = "") -> None:
        super().__init__(what, where=where, remedy="see the pods' events and logs in the report's folder")
        self.status = status
        self.message = message or what


class ApiServer:
    """One cluster's API server. ``open`` first, ``close`` last."""

    def __init__(self, client: ApiClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._resources: dict[str, dict[str, tuple[str, bool]]] = {}

    @classmethod
    async def open(cls, kubeconfig: Path, context: str, scratch: Path, clock: Clock) -> ApiServer:
        """By a kubeconfig file; its keys are unpacked into ``scratch``. Raises ``StackNotStarted``."""
        # Only where there is a cluster: runs on processes look for what others left in Docker, and have no such client.
        from kubernetes.aio.client import ApiClient, Configuration
        from kubernetes.aio.config import ConfigException, kube_config, load_kube_config

        settings = Configuration()
        settings.connection_pool_maxsize = 0  # no limit: each watch and each followed log holds one
        kube_config._temp_files.clear()  # keys unpacked for an earlier run went with its scratch folder
        try:
            await load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), context, settings, persist_config=False, temp_file_path=str(scratch)
            )
        except (ConfigException, OSError) as error:
            raise StackNotStarted(
                message("the cluster's kubeconfig cannot be used: {error}", error=str(error)),
                where=str(kubeconfig),
                remedy=message("{program} stack down, then run again", program=PROGRAM),
            ) from error
        return cls(ApiClient(settings), clock)

    @property
    def server(self) -> str:
        """Its URL."""
        return str(self._client.configuration.host)

    def credentials(self) -> ClientCertificate:
        """Of a kubeconfig that has a certificate, as kind's: files that ``open`` unpacked, readable by this user alone,
        and gone with the scratch folder."""
        found = self._client.configuration
        ca, certificate, key = (Path(each) for each in (found.ssl_ca_cert, found.cert_file, found.key_file))
        return ClientCertificate(ca=ca, certificate=certificate, key=key)

    async def close(self) -> None:
        """Ends every connection."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, **query: str | int) -> Json:
        """Raises ``ApiServerError``."""
        return await self._ask("GET", path, query)

    async def apply(self, document: Json, namespace: str) -> Json:
        """Server-side apply of one document, into ``namespace`` where its kind has one. Raises ``ApiServerError``."""
        path = await self.path_of(document, namespace)
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._ask("PATCH", path, query, document, "application/apply-patch+yaml")

    async def post(self, path: str, document: Json) -> Json:
        """Creates. Raises ``ApiServerError``."""
        return await self._ask("POST", path, {"fieldManager": FIELD_MANAGER}, document, "application/json")

    async def patch(self, path: str, document: Json) -> Json:
        """A merge patch. Raises ``ApiServerError``."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._ask("PATCH", path, query, document, "application/merge-patch+json")

    async def delete(self, path: str, **query: str | int) -> None:
        """Begins a deletion; what is not there is deleted. Raises ``ApiServerError``."""
        await self._delete(path, query)

    async def delete_own(self, path: str, uid: str) -> None:
        """As ``delete``, of the object with ``uid`` and no namesake. Raises ``ApiServerError``."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        await self._delete(path, {}, options, "application/json")

    async def _delete(self, path: str, query: Query, body: Json | None = None, content: str = "") -> None:
        try:
            await self._ask("DELETE", path, query, body, content)
        except ApiServerError as error:
            if error.status != NOT_FOUND:
                raise

    async def path_of(self, document: Json, namespace: str) -> str:
        """Where a document lies. Raises ``ApiServerError`` when the cluster does not know its kind."""
        version = document["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._resources:
            found = await self.get(root)
            self._resources[version] = {
                each["kind"]: (each["name"], each["namespaced"])
                for each in found["resources"]
                if "/" not in each["name"]
            }
        kind, name = document["kind"], document["metadata"]["name"]
        if kind not in self._resources[version]:
            raise ApiServerError(NOT_FOUND, f"the cluster knows no {kind} of {version}", f"{kind}/{name}")
        plural, namespaced = self._resources[version][kind]
        return f"{root}/namespaces/{namespace}/{plural}/{name}" if namespaced else f"{root}/{plural}/{name}"

    async def watch(self, path: str, **query: str | int) -> AsyncIterator[tuple[str, Json]]:
        """``ADDED``, ``MODIFIED`` and ``DELETED`` with the object, from the present state on, without end.

        After a broken stream the state is listed anew: what is then there comes as ``ADDED`` again, and what went
        meanwhile as ``DELETED``.
        """
        known: dict[str, Json] = {}
        while True:
            try:
                listed = await self.get(path, **query)
                present = {item["metadata"]["uid"]: item for item in listed["items"]}
                for uid in known.keys() - present.keys():
                    yield "DELETED", known.pop(uid)
                for uid, item in present.items():
                    known[uid] = item
                    yield "ADDED", item
                since = listed["metadata"]["resourceVersion"]
                async for line in self.lines(path, watch="true", resourceVersion=since, **query):
                    change = msgspec.json.decode(line)
                    item = change["object"]
                    if change["type"] == "ERROR":
                        break
                    if change["type"] == "DELETED":
                        known.pop(item["metadata"]["uid"], None)
                    else:
                        known[item["metadata"]["uid"]] = item
                    yield change["type"], item
            except ApiServerError as error:
                if error.status not in (0, GONE):
                    raise
            await self._clock.sleep(_RELIST_AFTER_S)

    async def lines(self, path: str, **query: str | int) -> AsyncIterator[bytes]:
        """The lines of a streamed answer as they come, until it ends. Raises ``ApiServerError``."""
        response = await self._send("GET", path, query, streamed=True)
        try:
            await self._check(response, f"GET {path}")
            rest = b""
            async for chunk in response.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line
            if rest:
                yield rest
        except _broken() as error:
            raise ApiServerError(0, f"the stream broke: {error!r}", f"GET {path}") from error
        finally:
            response.close()

    async def _ask(self, method: str, path: str, query: Query, body: Json | None = None, content: str = "") -> Json:
        response = await self._send(method, path, query, body=body, content=content)
        try:
            await self._check(response, f"{method} {path}")
            answer: Json = msgspec.json.decode(await response.read())
        except _broken() as error:
            raise ApiServerError(0, f"the API server's answer broke: {error!r}", f"{method} {path}") from error
        finally:
            response.release()
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: Query,
        *,
        body: Json | None = None,
        content: str = "",
        streamed: bool = False,
    ) -> aiohttp.ClientResponse:
        import aiohttp  # of clusters alone

        limits = aiohttp.ClientTimeout(total=None, sock_connect=5) if streamed else aiohttp.ClientTimeout(ASK_LIMIT_S)
        serial = await self._client.param_serialize(
            method=method,
            resource_path=path,
            query_params=[(name, str(value)) for name, value in query.items()],
            header_params={"Accept": "application/json", **({"Content-Type": content} if content else {})},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._client.call_api(*serial, _request_timeout=limits)
        except _broken() as error:
            raise ApiServerError(0, f"the API server does not answer: {error!r}", f"{method} {path}") from error
        response: aiohttp.ClientResponse = answer.response
        return response

    async def _check(self, response: aiohttp.ClientResponse, where: str) -> None:
        if response.status < 300:
            return
        text = (await response.read()).decode(errors="replace")
        try:
            message = msgspec.json.decode(text)["message"]
        except (*NOT_JSON, KeyError, TypeError):
            message = text[:300]
        raise ApiServerError(response.status, f"the API server refused ({response.status}): {message}", where, message)
