"""``python -m harness scaling``: the document's scaling by hand, by the autoscaler, and under the budget."""
