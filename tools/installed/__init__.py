"""The rehearsal as it is installed: in this folder lies what the checkout has, but for its tests."""
