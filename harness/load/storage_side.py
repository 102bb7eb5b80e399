"""What the app does with Storage itself, on either side of the flag: uploads a walk's thumbnail, deletes it.

Never part of a request's latency, and never a failure of the target: what did not succeed is told as an event, and the
walk is written without its picture, as the app does it.
"""

from __future__ import annotations

import http.client
from urllib.parse import quote

from harness.load.plan import LoadPlan
from harness.load.population import thumbnail
from harness.load.recorder import Recorder
from harness.load.runtime import Background, runtime
from harness.model.message import message

STORAGE_TIMEOUT_S = 5.0


class StorageSide:
    """One user's thumbnails. Without Storage in the plan it keeps none. Used by one greenlet, beside its own."""

    def __init__(self, plan: LoadPlan, recorder: Recorder, user: str) -> None:
        self._plan = plan
        self._recorder = recorder
        self._user = user
        self._bucket = plan.endpoints.storage_bucket
        self._upload: tuple[str, Background] | None = None
        self._deletes: list[Background] = []

    @property
    def there(self) -> bool:
        """Whether the stack has Storage."""
        return self._plan.endpoints.storage is not None

    def begin_upload(self, walk_id: str) -> None:
        """Begins to upload the walk's thumbnail, once."""
        if self.there and (self._upload is None or self._upload[0] != walk_id):
            self._upload = (walk_id, runtime().spawn(self._put, walk_id))

    def uploaded(self, walk_id: str) -> str | None:
        """The download URL when the upload has succeeded by now; one that has not is given up."""
        if self._upload is None or self._upload[0] != walk_id:
            return None
        greenlet, self._upload = self._upload[1], None
        if greenlet.dead and greenlet.value:
            return thumbnail.url(self._bucket, self._user, walk_id)
        if not greenlet.dead:
            greenlet.kill(block=False)
            self._recorder.event("storage", walk_id, message("thumbnail not uploaded: {why}", why=message("too late")))
        return None

    def begin_delete(self, walk_id: str) -> None:
        """Begins to delete the walk's thumbnail."""
        if self.there:
            self._deletes = [each for each in self._deletes if not each.dead]
            self._deletes.append(runtime().spawn(self._delete, walk_id))

    def close(self) -> None:
        """Gives up an upload under way and lets deletes finish, bounded by their own timeout; idempotent."""
        if self._upload is not None:
            self._upload[1].kill(block=False)
        runtime().join(self._deletes, STORAGE_TIMEOUT_S)

    def _put(self, walk_id: str) -> bool:
        name = quote(thumbnail.object_name(self._user, walk_id), safe="")
        path = f"/upload/storage/v1/b/{self._bucket}/o?uploadType=media&name={name}"
        return self._call("POST", path, (200,), walk_id, thumbnail.image(self._plan.seed, walk_id))

    def _delete(self, walk_id: str) -> bool:
        name = quote(thumbnail.object_name(self._user, walk_id), safe="")
        return self._call("DELETE", f"/storage/v1/b/{self._bucket}/o/{name}", (200, 204, 404), walk_id, b"")

    def _call(self, method: str, path: str, good: tuple[int, ...], walk_id: str, body: bytes) -> bool:
        address = self._plan.endpoints.storage
        assert address is not None
        connection = runtime().http(address, STORAGE_TIMEOUT_S)
        try:
            connection.request(method, path, body, {"Content-Type": thumbnail.CONTENT_TYPE} if body else {})
            with connection.getresponse() as response:
                response.read()
                if response.status in good:
                    return True
                why = f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            why = f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        uploading = method == "POST"
        told = (
            message("thumbnail not uploaded: {why}", why=why)
            if uploading
            else message("thumbnail not deleted: {why}", why=why)
        )
        self._recorder.event("storage", walk_id, told)
        return False
