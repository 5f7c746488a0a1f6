"""A server as a whole: start and stop, twins and forks, remote procedures, the initial state."""
