"""The live model, compiled: the tables of a ring, closed orbit, optics, path length and RF frequency."""
