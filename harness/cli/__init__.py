"""The command line: what each command is asked, and from there to an exit status."""
