"""harbor-agent.yaml, inventory variables and flags merged into one policy."""
