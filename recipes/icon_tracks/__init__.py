"""Makes the pictures of the tracks that are drawn from icons."""
