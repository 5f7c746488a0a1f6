"""The machine of role machine in time: its supplies, its monitors, its beam. Composed of pure parts."""
