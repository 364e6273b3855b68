"""SIGKILL at random moments of a run: every file stays whole, and the next run ends the same."""
