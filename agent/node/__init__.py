"""What runs on a node: POSIX sh programs, and the code that speaks their wire format."""
