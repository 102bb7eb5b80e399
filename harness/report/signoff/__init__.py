"""The sign-off page: where every claim of the document stands, by the newest stored results of one target."""
