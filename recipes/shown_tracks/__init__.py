"""Makes the pictures of the tracks whose results a person can see: portrait, silhouette, halves."""
