"""The proof of the flag: how long every client takes to change sides, and that no walk is lost on the way."""
