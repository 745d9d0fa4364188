"""What `-o json` prints, as plain values; docs/schemas/ holds the JSON Schema of each document."""
