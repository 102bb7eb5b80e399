"""``python -m harness deploy_rehearsal``: versions rolled out and undone under load, the schema changed."""
