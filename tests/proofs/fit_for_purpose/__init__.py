"""Is the embedded base fit to tell good fine-tuning from bad? Measured, not assumed."""
