"""A real week judged from a team's own telemetry: no load, no stack, and nothing is acted on."""
