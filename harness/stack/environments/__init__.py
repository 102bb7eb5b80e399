"""The environments that a run can have: how one is chosen, found again, and told."""
