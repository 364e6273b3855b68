"""How the pictures of the ``robot`` track were made."""
