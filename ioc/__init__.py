"""What clients see: records, servers, dispatcher, configuration. Nothing is imported here."""
