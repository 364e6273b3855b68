"""The trusted scorer: a process that imports no contribution and computes every number."""
