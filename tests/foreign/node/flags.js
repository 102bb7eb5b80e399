"use strict";
// What an environment variable may switch on, by name and separated by commas. An unknown name ends the program: a
// misspelt one would plant nothing. tests/foreign/deviations.py says what has to be found of each fault.

const FAULTS = [
  "count_as_text", "exit_by_signal", "html_errors", "list_null_when_empty", "locations_null",
  "locations_replaced_whole", "log_level_number", "mirror_before_check", "no_user_row", "numbers_as_text", "put_replaces_all",
  "retry_after_ms", "soft_deleted_listed", "total_count_of_page",
  "whole_doubles_as_integers",
];
// Differences that nobody may call a break: the contract is silent there, or says the same in another way.
const HARMLESS = [
  "absent_unknowns", "charset", "chunked", "connection_close", "error_texts", "escaped_text", "extra_columns", "extra_endpoints",
  "extra_fields", "extra_headers", "floats_for_integers", "header_case", "jst_times", "key_order", "log_extras",
  "log_upper_ids", "metrics_on_port", "nanoseconds", "numeric_columns", "other_content_refused", "plain_health", "plus_zero",
  "pretty", "slow_boot", "timestamp_columns", "token_bucket", "tokyo_session",
];

function chosen(variable, known) {
  const names = (process.env[variable] ?? "").split(",").filter(Boolean);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`${variable}: there is no ${unknown.join(", ")}`);
  return new Set(names);
}

const faults = chosen("FAULTS", FAULTS);
const harmless = chosen("HARMLESS", HARMLESS);
module.exports = { fault: (name) => faults.has(name), also: (name) => harmless.has(name) };
