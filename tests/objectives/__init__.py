"""Tests of the objectives, the alerts and their arithmetic."""
