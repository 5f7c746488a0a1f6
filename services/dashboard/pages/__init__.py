"""Pages of the dashboard, a module each."""
