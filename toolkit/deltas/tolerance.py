"""How far a change of weights may be from what it stands for. No torch: the hub's parent reads it.

Relative, of what the models compute or of the weights; rounding leaves about 1e-7.
"""

TOLERANCE = 1e-3
