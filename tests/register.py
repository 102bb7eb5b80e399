"""The bundled register, for tests that name its claims."""

from __future__ import annotations

from harness.rules import register

CHAPTERS = register.bundled().chapters
REGISTER = register.bundled().claims
ERRATA = register.bundled().errata
