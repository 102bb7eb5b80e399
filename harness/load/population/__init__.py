"""The app's users and what they do: pure and seeded; executed by ``harness.load`` and, in virtual time, by ``sim``."""
