"""The bank's PVs over PV Access: `server` serves them, `presence` finds servers that already answer their names.

Nothing is imported here, since `presence` must stay free of p4p: it runs while everything else still loads.
"""
