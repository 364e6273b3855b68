"""Which contributions' hooks work with which others': tried out, all of them, at toy budget."""
