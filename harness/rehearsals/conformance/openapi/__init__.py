"""The team's own OpenAPI file: read with its lines, its operations found by shape, and what it decides."""
