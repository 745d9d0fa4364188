"""The proof of a change by DNS itself: which questions are asked where, and what their answers show."""
