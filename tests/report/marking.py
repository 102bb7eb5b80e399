"""A language that shows what was looked up in its catalogue, and so what is not translated."""

from __future__ import annotations

import gettext

from harness.report.language import Language


class _Marking(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return f"<{message}>"


MARKING = Language("ja", _Marking())
