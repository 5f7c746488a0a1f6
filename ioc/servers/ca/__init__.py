"""The bank's PVs over Channel Access: `server` serves them, `presence` finds servers that already answer their names.

Nothing is imported here, since `presence` runs while everything else still loads.
"""
