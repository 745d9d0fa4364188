"""The reports of all shards as text."""
