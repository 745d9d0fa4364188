"""dockerd: what is in effect, where an entry goes, what a change costs."""
