"""The documents that -o json prints, one module per schema."""
