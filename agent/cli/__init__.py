"""The command line: flags become a request, the engine does the work, a result is rendered."""
