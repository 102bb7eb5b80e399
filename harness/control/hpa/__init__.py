"""The HorizontalPodAutoscaler controller of Kubernetes 1.34 (pkg/controller/podautoscaler) as pure functions.

``sync.sync`` is one reconciliation. It asks ``proposal`` for each metric's replicas (``replicas`` calculates them over
the pods that ``grouping`` sorts), then limits the answer: ``stabilize`` over time, ``rates`` in speed and range. What
the controller keeps from one reconciliation to the next is a ``history.History``.
"""
