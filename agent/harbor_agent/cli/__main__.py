"""`python -m harbor_agent.cli` is `harbor-agent`."""

from harbor_agent.cli.main import main

main()
