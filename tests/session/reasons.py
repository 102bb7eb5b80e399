"""The reasons for which a test that not everybody may run is skipped: the markers give them, the gate knows them."""

NO_ROOT = "only root becomes another user, mounts a file system or makes a space of process ids"
NO_LIMITS = "control groups (cpu and memory) cannot be made here: the rung enforces no limits"
