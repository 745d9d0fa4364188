"""Pure text to value and back, one file a syntax; comments and order survive."""
