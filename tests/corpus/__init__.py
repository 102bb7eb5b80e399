"""Result folders of all commands as they were before every command had one result, and the facts that they state."""
