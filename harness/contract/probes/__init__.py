"""One file per probe. See harness/contract/probe.py."""
