"""`python -m agent.cli` is `harbor-agent`."""

from agent.cli.main import main

main()
