"""The API under test: its target file, its versions, its migrations, its environment variables."""
