"""Differences of the Node target that nobody may call a break, in sets that one process can have at once.

The contract is silent there, or says the same in another way. ``tests/foreign/node/flags.js`` has all of them.
"""

from __future__ import annotations

#: Times in another offset, columns of another type, bodies with more in them, other logs, other HTTP.
MANY = (
    "absent_unknowns",  # a location's unknown values are absent instead of null
    "charset",  # application/json;charset=UTF-8
    "chunked",  # an answer in chunks, without its length
    "error_texts",  # Japanese messages, with more keys beside them
    "escaped_text",  # every character beyond ASCII as \uXXXX
    "extra_columns",  # generated, array and jsonb columns, a table of its own
    "extra_endpoints",
    "extra_fields",  # in walks, locations, lists and errors
    "extra_headers",  # Server, Vary, a request's id; no Date
    "floats_for_integers",  # 6789.0
    "header_case",  # CONTENT-TYPE, retry-after
    "jst_times",  # +09:00
    "key_order",
    "log_extras",  # other fields first, nested ones, a process id, nanoseconds, severity NOTICE
    "log_upper_ids",
    "metrics_on_port",  # other names, and on the port of the API
    "numeric_columns",  # numeric for double precision
    "other_content_refused",  # 415
    "plain_health",  # a text, no JSON
    "pretty",
    "slow_boot",  # 4 s before it listens
    "timestamp_columns",  # without zone, in UTC
    "token_bucket",  # for a window
    "tokyo_session",  # the database session's time zone
)
SETS = (MANY, ("connection_close", "nanoseconds", "extra_columns"), ("plus_zero",))
