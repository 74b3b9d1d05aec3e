"""A tree of Parzen estimators."""
def suggest(encoding, history, seed, number, random): raise NotImplementedError
