"""Pictures of stored results: pure functions from a run's documents to figures of Plotly, with units on every axis."""
