"""Look at a downloaded file before it may become a training picture."""
