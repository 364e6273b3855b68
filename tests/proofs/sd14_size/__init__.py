"""Does everything still work at Stable Diffusion 1.4's own size? Slow, so no part of CI."""
