"""Whether a login may pull: a client of the registry HTTP API."""
