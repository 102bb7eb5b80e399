"""Photos uploaded to Storage while a step lasts: up to 5 MB each, beside the requests to the API, never among them."""

from __future__ import annotations

import http.client

import gevent
from gevent.event import Event

from harness.base.ticks import NS
from harness.load.recorder import Recorder
from harness.load.rest import now_ns, runtime
from harness.load.stages.plan import StepCommand, WorkerPlan

UPLOAD_LIMIT_S = 20.0
#: Names are used again, so that Storage holds a bounded number of photos.
_NAMES = 20
_MOST_AT_ONCE = 10


class PhotoUploads:
    """This worker's share. ``close`` gives up what is under way."""

    def __init__(self, plan: WorkerPlan, recorder: Recorder) -> None:
        self._plan = plan
        self._recorder = recorder
        self._greenlets: list[gevent.Greenlet] = []
        self._ended = Event()

    def begin(self, command: StepCommand) -> None:
        """Uploads at the step's rate until it ends."""
        if command.step.photos_per_s > 0 and self._plan.endpoints.storage is not None:
            self._greenlets = [each for each in self._greenlets if not each.dead]
            self._greenlets.append(gevent.spawn(self._upload_all, command))

    def close(self) -> None:
        """Idempotent."""
        self._ended.set()
        gevent.killall(self._greenlets, block=False)

    def _upload_all(self, command: StepCommand) -> None:
        step = command.step
        body = bytes(step.photo_bytes)
        uploads: list[gevent.Greenlet] = []
        put_off = 0
        for number in range(self._plan.worker, round(step.photos_per_s * step.seconds), self._plan.workers):
            if runtime().wait_until(command.origin_ns + round(number * NS / step.photos_per_s), self._ended):
                return
            if sum(not upload.dead for upload in uploads) >= _MOST_AT_ONCE:
                put_off += 1
                continue
            uploads.append(gevent.spawn(self._upload, number % _NAMES, body))
        gevent.joinall(uploads, timeout=UPLOAD_LIMIT_S)
        done = [upload.value for upload in uploads if upload.dead and upload.value]
        self._recorder.event(
            "storage",
            "photos",
            f"{len(done)} photos of {step.photo_bytes} bytes uploaded in step {step.name}",
            step=step.name,
            uploaded=len(done),
            failed=len(uploads) - len(done),
            put_off=put_off,
            seconds_each=sum(done) / len(done) if done else 0.0,
        )

    def _upload(self, name: int, body: bytes) -> float:
        """Seconds it took; 0 when it failed."""
        address = self._plan.endpoints.storage
        assert address is not None
        start_ns = now_ns()
        connection = http.client.HTTPConnection(address.host, address.port, timeout=UPLOAD_LIMIT_S)
        path = f"/upload/storage/v1/b/{self._plan.endpoints.storage_bucket}/o?uploadType=media&name=photos%2F{name}"
        try:
            connection.request("POST", path, body, {"Content-Type": "image/jpeg"})
            with connection.getresponse() as response:
                response.read()
                return (now_ns() - start_ns) / NS if response.status == 200 else 0.0
        except (OSError, http.client.HTTPException):
            return 0.0
        finally:
            connection.close()
