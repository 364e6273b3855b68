"""A contest on a person's own pictures: make the track, foretell its cost, recommend the best.

split.py        which pictures are taught and which held out
prompts.py      what is drawn, from the captions
budget.py       steps and grid, from the pictures and the pace of the device
pace.py         how long a step of the base takes here (the only one with torch)
make.py         the track's folder below runs/tracks/
recommend.py    which contribution to take, and how certain that is
page.py         the same as one page with pictures
"""
