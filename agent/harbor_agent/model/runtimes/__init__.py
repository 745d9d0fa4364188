"""What was observed of each runtime, one module per family; they do not import each other."""
