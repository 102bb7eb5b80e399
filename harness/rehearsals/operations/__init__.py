"""The document's daily, weekly and monthly tasks: the page that an operator needs, of a live stack or cluster."""
