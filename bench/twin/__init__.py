"""The twin: list and PUT of the walk API by hand, on raw ASGI, asyncpg and msgspec; imports nothing of ``api``.

It is what the bundled API is measured against: the same SQL semantics, token check, rate limit, validation and answers
to the byte, without a framework, and without the metrics and log lines that the bundled API writes besides.
"""
