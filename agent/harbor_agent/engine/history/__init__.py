"""What this controller did: lock, run history, recorder, queries."""
