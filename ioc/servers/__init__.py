"""The two servers, equal views on one bank: access rights, addresses, limits, Channel Access, PV Access."""
