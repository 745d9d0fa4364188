"""What was asked for: command line, harbor-agent.yaml, credentials and passwords, resolved once."""
