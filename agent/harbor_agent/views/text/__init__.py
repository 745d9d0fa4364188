"""What people read on a terminal, one module per document."""
