"""What a child process may see, use and do: one file per layer, the strongest available chosen.

Parent's side: ``layers`` (prepare), ``trial``, ``choose``, ``view`` (which files a child needs),
``mounts`` (the same as a list of mounts), ``limits``, ``trust``. Child's side, standard library
only: ``guard`` (ends everything it started), ``enter`` (mounts), ``confine`` (rlimits, Landlock,
seccomp). `docs/isolation.md` is the page about it.
"""
