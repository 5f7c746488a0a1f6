"""Clients that only read: how a shadow hears its machine over Channel Access and PV Access."""
