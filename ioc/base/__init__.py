"""Tools of every part of `ioc`: configuration, protocols between parts, limits of the log, tasks, process."""
