"""The load processes: locust executing the population, and the probes. ``process`` is the harness' side of them."""
