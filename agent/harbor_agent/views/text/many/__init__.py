"""Many nodes in few lines: groups of equal ones, warnings folded by kind, and an overview."""
