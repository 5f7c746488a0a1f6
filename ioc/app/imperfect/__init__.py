"""The machine of role machine: how it starts, and its supplies, monitors and beam in time. Composed of pure parts."""
