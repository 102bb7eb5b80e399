"""What a whole run of the tests needs: groups, the guard of the in-process ones, homes of workers, durations, the gate."""
