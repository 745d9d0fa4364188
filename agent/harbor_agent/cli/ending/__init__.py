"""What a run leaves for others when it ends: metrics and notifications, also after an error."""
