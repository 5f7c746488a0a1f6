"""The bank's PVs over Channel Access: `ca_server` serves them, `ca_name_search` finds other servers of their names.

Nothing is imported here, since `ca_name_search` runs while everything else still loads.
"""
