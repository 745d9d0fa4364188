"""Documents of -o json, one module per schema."""
