"""From a request to a plan for every node; changes nothing."""
