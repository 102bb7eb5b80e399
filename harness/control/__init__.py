"""Kubernetes' control-plane rules as pure functions, shared by ``local`` and ``sim``. No I/O, no clock."""
