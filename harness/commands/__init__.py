"""The commands of ``python -m harness``, one module each: ``add_arguments`` and ``run``."""
