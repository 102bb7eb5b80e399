"""What an operator sees of a live stack or cluster, and how it is read. Nothing here changes anything."""
