"""From any login shell to /bin/sh as root."""
