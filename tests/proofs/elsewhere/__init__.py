"""What becomes of the hub's files in the programs that people use? Slow, so no part of CI."""
