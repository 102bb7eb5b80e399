"""The load of one step after another, made by workers of one core each, in which Locust executes the users."""
