"""``python -m harness conformance``: any target against the contract of facts/walk-api.md, deviation by deviation."""
