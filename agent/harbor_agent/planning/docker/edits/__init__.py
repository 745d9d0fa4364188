"""How entries are added to dockerd's configuration and removed from it: each edit returns a changed workspace."""
