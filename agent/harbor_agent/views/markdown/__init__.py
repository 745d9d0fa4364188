"""Reports as a comment on a merge request."""
