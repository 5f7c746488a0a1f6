"""The guard before pvxs: only whole, known and bounded messages pass."""
