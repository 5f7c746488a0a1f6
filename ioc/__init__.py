"""What clients see: records, servers, dispatcher, configuration, command line. Nothing is imported here."""
