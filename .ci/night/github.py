"""The few calls of GitHub's REST API that a night makes (docs.github.com/en/rest, version 2022-11-28)."""

from __future__ import annotations

import io
import json
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from night.errors import UNTOLD, Trouble

LIMIT_S = 30.0
MOST_PAGES = 20
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


class GitHub:
    """A repository's API, by a token of its workflow (``GITHUB_TOKEN``)."""

    def __init__(self, repository: str, token: str, api: str = "https://api.github.com") -> None:
        self.repository, self.token = repository, token
        self._base = f"{api.rstrip('/')}/repos/{repository}"

    @staticmethod
    def of(environment: Mapping[str, str]) -> GitHub:
        """From what a workflow sets. Raises ``Trouble`` for what is missing."""
        missing = [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not environment.get(name)]
        if missing:
            remedy = "in a workflow: env: GITHUB_TOKEN: ${{ github.token }}"
            raise Trouble(f"{' and '.join(missing)} must be set", remedy=remedy)
        api = environment.get("GITHUB_API_URL") or "https://api.github.com"
        return GitHub(environment["GITHUB_REPOSITORY"], environment["GITHUB_TOKEN"], api)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON. Raises ``Trouble`` with status and message."""
        return json.loads(self._send(method, self._base + path, body)[0] or b"null")

    def pages(self, path: str, **query: str) -> Iterator[Any]:
        """The answers of each page of a list, up to ``MOST_PAGES``."""
        url: str | None = f"{self._base}{path}?{urlencode({**query, 'per_page': '100'})}"
        for _ in range(MOST_PAGES):
            if url is None:
                return
            content, headers = self._send("GET", url)
            yield json.loads(content)
            following = _NEXT.search(headers.get("Link") or "")
            url = following[1] if following else None

    def artifact(self, number: int, name: str) -> bytes:
        """The file ``name`` of an artifact. Raises ``Trouble`` when there is none."""
        content, _ = self._send("GET", f"{self._base}/actions/artifacts/{number}/zip")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return archive.read(name)
        except (zipfile.BadZipFile, KeyError) as error:
            raise Trouble(f"artifact {number} has no {name}: {error}", status=UNTOLD) from error

    def _send(self, method: str, url: str, body: object = None) -> tuple[bytes, Mapping[str, str]]:
        request = urllib.request.Request(url, method=method)  # noqa: S310 - the API's address, of the workflow
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        # Not sent on to where an artifact is redirected: that address carries its own signature.
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        return answer(request, f"{method} {url.partition('?')[0]}")


def answer(request: urllib.request.Request, where: str) -> tuple[bytes, Mapping[str, str]]:
    """Content and headers of the answer. Raises ``Trouble``, also for a status of 400 and more."""
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:  # noqa: S310 - as above
            return response.read(), response.headers
    except urllib.error.HTTPError as error:
        said = error.read()[:500].decode(errors="replace")
        remedy = "look at the job's permissions" if error.code in {401, 403, 404} else "run the job again"
        raise Trouble(f"status {error.code}: {said}", where=where, remedy=remedy, status=UNTOLD) from error
    except OSError as error:
        raise Trouble(f"no answer: {error}", where=where, remedy="run the job again", status=UNTOLD) from error
