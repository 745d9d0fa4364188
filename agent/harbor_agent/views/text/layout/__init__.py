"""Text in columns of a terminal: how wide it is, where its lines end, and tables."""
