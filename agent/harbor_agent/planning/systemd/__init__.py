"""Which unit files, drop-ins and environment files apply to a service."""
