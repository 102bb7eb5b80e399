"""The document's staged rollout: a week, judged as it runs, and the weeks one after the other."""
