"""What runs on a node: POSIX sh programs and their wire format."""
