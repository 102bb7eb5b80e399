"""Scenario files: read, checked, and held against the claims that they name."""
