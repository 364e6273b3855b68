"""``ci``: what the hub's CI does, as commands that you can run locally.

Nothing in here runs a contribution's code in this process: a pull request is data, read from git
objects, and its run is the hub's ordinary sandboxed job.
"""

from harness.commands.ci.command import add_arguments, run

__all__ = ["add_arguments", "run"]
