"""Studies of a machine that need no server: computations, their files and their pictures."""
