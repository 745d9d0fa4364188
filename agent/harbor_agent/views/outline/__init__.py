"""What a report in Markdown, JUnit XML or HTML says: one value for every command."""
