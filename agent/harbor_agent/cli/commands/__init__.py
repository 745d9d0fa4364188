"""One module per command: its options, and which engine function it calls."""
