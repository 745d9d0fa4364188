"""The documents of all shards."""
