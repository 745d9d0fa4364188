"""What a registry answers to a request without a login."""
