"""From a put to a command: validation, the queue, planning, controls of gnomon itself."""
