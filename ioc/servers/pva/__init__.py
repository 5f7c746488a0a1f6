"""The bank's PVs over PV Access: `pva_server` serves them, `pva_name_search` finds other servers of their names.

Nothing is imported here, since `pva_name_search` must stay free of p4p: it runs while everything else still loads.
"""
