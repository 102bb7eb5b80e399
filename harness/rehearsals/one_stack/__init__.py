"""The weeks of the rollout over one population: users, walks and both stores live on from week to week."""
