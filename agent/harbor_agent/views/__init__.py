"""Engine results as text or JSON; pure, no I/O, no global state."""
