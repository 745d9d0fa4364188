"""Reports as JUnit XML, which CI systems show."""
