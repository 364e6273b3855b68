"""The delta: the change of the base's weights by a training, for any adapter."""
