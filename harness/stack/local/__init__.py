"""The ``local`` rung: real processes on loopback, no Docker and no root."""

from harness.stack.local.stack import LocalStack

__all__ = ["LocalStack"]
