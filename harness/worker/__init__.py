"""The process that runs a contribution's code, and the parent's side of talking to it."""
