"""From the login shell to /bin/sh as root, whatever the shell is."""
