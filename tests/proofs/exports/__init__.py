"""Does what each contribution trains leave the hub whole? Slow, so no part of CI."""
