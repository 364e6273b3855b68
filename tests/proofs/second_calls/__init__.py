"""Whatever was done to a live pipeline before, the next call does what a first one does."""
