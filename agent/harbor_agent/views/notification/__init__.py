"""Messages about the end of a run, for a webhook or a chat."""
