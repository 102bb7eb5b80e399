"""The load of one step after another, made by Locust in its distributed mode: one master, workers of one core each."""
