"""A run as a graph of tasks: what waits for what, which comes next, and who carries it out."""
