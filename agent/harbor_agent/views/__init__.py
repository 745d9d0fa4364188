"""Engine results as text, as JSON and as reports; pure, no I/O, no global state."""
