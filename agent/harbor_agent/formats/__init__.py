"""Text to value and back without loss, one module per file format."""
