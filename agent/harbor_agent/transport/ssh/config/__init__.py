"""How to connect to each host, and as which user: OpenSSH's configuration and the inventory's ssh arguments."""
