"""One file per probe. See harness/gate/probe.py."""
