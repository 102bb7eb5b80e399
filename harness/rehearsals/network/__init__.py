"""``python -m harness network``: NetworkPolicy and Ingress of Phase 4 on a real cluster, asked from real pods."""
