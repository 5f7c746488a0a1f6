"""The soft IOC that clients see: records, servers, dispatcher, configuration. Nothing is imported here."""
