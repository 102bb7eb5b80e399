"""The rehearsals, one folder each; none knows another."""
