"""The profile: everything in which a contribution behaves otherwise than the reference, in numbers.

A property is a list of measures, taken the same way of the reference and of the contribution. The
catalogue (``catalogue.py``) imports no torch; ``harness/gate/experiments/profile_*.py`` measure.
"""
