"""Sends the end of a run to receivers; whether one takes it never changes the run."""
