"""Inventories read with Ansible's own library, which is slow to import: only `inventory.load` imports this package."""
