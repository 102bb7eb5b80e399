"""The control-plane rules against Kubernetes' real controllers: plain processes on 127.0.0.1, no Docker, no kubelet.

The pods are objects whose status the tests write themselves, so that each step is exact. ``nox -s oracle`` runs many
samples, the suite a few.
"""
