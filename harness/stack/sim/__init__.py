"""The rung ``sim``: the bundled API's own code over memory ports, in virtual time. No process, no socket, no sleep.

It is the only place of the harness that imports ``api``: everywhere else the API is a command. The same seed gives the
same evidence to the byte. What the parts in memory cannot show (processes, PostgreSQL, Kubernetes) is not exercised.
"""
