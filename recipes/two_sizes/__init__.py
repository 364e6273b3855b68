"""Does the order of methods on one base carry over to a base of another size?"""
