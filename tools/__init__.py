"""Programs around the hub that need nothing but Python itself."""
