"""``python -m harness conformance``: any target against the contract of docs/contract/, deviation by deviation."""
