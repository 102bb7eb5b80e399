"""Every error that becomes an answer. Whatever else is raised while a request runs is a 500 and a defect."""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """An answer other than success: HTTP ``status``, the contract's ``code``, and a message safe to show."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class Invalid(ApiError):  # noqa: N818 - the tree reads as outcomes
    """The id, query, headers or body are not what the contract asks for."""

    status = 400
    code = "INVALID_REQUEST"


class Unauthorized(ApiError):  # noqa: N818
    """No token, or one that is malformed, expired or foreign. Says no more than that."""

    status = 401
    code = "UNAUTHORIZED"

    def __init__(self, message: str) -> None:
        super().__init__(message, {"WWW-Authenticate": "Bearer"})


class NotFound(ApiError):  # noqa: N818
    """No such walk, or another user's: the two look alike."""

    status = 404
    code = "NOT_FOUND"


class MethodNotAllowed(ApiError):  # noqa: N818
    """The path is there, the method is not."""

    status = 405
    code = "INVALID_REQUEST"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__("Method not allowed", {"Allow": ", ".join(allowed)})


class RateLimited(ApiError):  # noqa: N818
    """More requests than the limit; ``retry_after_s`` whole seconds until the next one fits."""

    status = 429
    code = "RATE_LIMITED"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Too many requests; try again later", {"Retry-After": str(retry_after_s)})


class Busy(ApiError):  # noqa: N818
    """More requests in flight than the process takes; nothing of this one was done."""

    status = 503
    code = "INTERNAL_ERROR"

    def __init__(self) -> None:
        super().__init__("Too many requests are in flight; try again", {"Retry-After": "1"})


class Unavailable(ApiError):  # noqa: N818
    """A part the request needs (the database, the certificates) does not answer in time."""

    status = 503
    code = "INTERNAL_ERROR"


class NothingDone(Unavailable):
    """``Unavailable``, and for certain nothing of the request was written: no connection to the database was had, or
    other requests were first each time.
    """
