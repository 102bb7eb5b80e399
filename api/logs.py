"""Structured logs: one line a record, with the fields of the document's example (Cloud Logging, 構造化ログ).

``severity``, ``message``, ``pod_name`` and ``timestamp`` are in every line, ``walk_id`` and ``user_id`` where they
apply; the others only where they say something.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType

from api.ports import Clock
from api.settings import LOG_LEVELS

_STDOUT = 1
_encoder = msgspec.json.Encoder()


class LogLine(Struct, frozen=True, kw_only=True):
    """One record. ``duration_ms`` is of the whole request; ``mirror_waiting`` counts the mirror writes
    that a kill of this process would lose."""

    severity: str
    message: str
    walk_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    pod_name: str
    timestamp: str
    method: str | UnsetType = UNSET
    route: str | UnsetType = UNSET
    status: int | UnsetType = UNSET
    duration_ms: float | UnsetType = UNSET
    mirror_waiting: int | UnsetType = UNSET
    error: str | UnsetType = UNSET


def to_stdout(line: bytes) -> None:
    """Writes the line in one call, so that lines of several writers do not mix."""
    os.write(_STDOUT, line)


class Log:
    """Writes records at or above ``level``. A record that cannot be written is counted in ``lost``, never raised."""

    def __init__(
        self,
        clock: Clock,
        *,
        pod_name: str,
        level: str = "info",
        form: str = "json",
        write: Callable[[bytes], None] = to_stdout,
    ) -> None:
        self._clock = clock
        self._pod_name = pod_name
        self._level = LOG_LEVELS[level]
        self._json = form == "json"
        self._write = write
        self.lost = 0
        self.debugging = self._level <= LOG_LEVELS["debug"]

    def debug(self, message: str, **fields: str | int | float) -> None:
        """For finding defects."""
        self._line(10, "DEBUG", message, fields)

    def info(self, message: str, **fields: str | int | float) -> None:
        """What happened as intended."""
        self._line(20, "INFO", message, fields)

    def warning(self, message: str, **fields: str | int | float) -> None:
        """What somebody may have to look at."""
        self._line(30, "WARNING", message, fields)

    def error(self, message: str, **fields: str | int | float) -> None:
        """What somebody has to look at."""
        self._line(40, "ERROR", message, fields)

    def _line(self, level: int, severity: str, message: str, fields: dict[str, str | int | float]) -> None:
        if level < self._level:
            return
        stamp = datetime.fromtimestamp(self._clock.unix_s(), tz=UTC).isoformat(timespec="milliseconds")
        stamp = stamp.removesuffix("+00:00") + "Z"
        line = LogLine(severity=severity, message=message, pod_name=self._pod_name, timestamp=stamp, **fields)  # type: ignore[arg-type] # the callers name LogLine's own fields
        try:
            self._write(_encoder.encode(line) + b"\n" if self._json else _text(line))
        except OSError:  # a full disk or a closed pipe must not fail a request
            self.lost += 1


class Bridge(logging.Handler):
    """Takes the records of the libraries (uvicorn, asyncio, google) into ``Log``."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Called by ``logging``."""
        fields: dict[str, str | int | float] = {}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = describe(record.exc_info[1])
        if record.levelno >= logging.ERROR:
            self._log.error(record.getMessage(), **fields)
        elif record.levelno >= logging.WARNING:
            self._log.warning(record.getMessage(), **fields)
        else:
            self._log.debug(record.getMessage(), **fields)


def describe(error: BaseException, frames: int = 4) -> str:
    """Type, message and innermost ``frames`` of ``error``, on one line."""
    stack = traceback.extract_tb(error.__traceback__)[-frames:]
    place = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(stack))  # noqa: PTH119 - text only
    text = f"{type(error).__name__}: {error}"
    if error.__cause__ is not None:
        text += f" (from {type(error.__cause__).__name__}: {error.__cause__})"
    return text[:2000] + (f" [{place}]" if place else "")


def _text(line: LogLine) -> bytes:
    fields = msgspec.structs.asdict(line)
    rest = " ".join(
        f"{name}={value!r}"
        for name, value in fields.items()
        if value is not UNSET and name not in ("timestamp", "severity", "message")
    )
    return f"{line.timestamp} {line.severity:<7} {line.message!r} {rest}\n".encode(errors="backslashreplace")
