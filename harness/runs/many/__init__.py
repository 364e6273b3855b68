"""Many runs: what they are (tasks, plan), and who carries them out (this machine, a cluster)."""
