"""Reports of runs: built, read again as that of a canary, and merged from shards."""
