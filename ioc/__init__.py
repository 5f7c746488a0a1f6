"""The soft IOC that clients see: records, servers, dispatcher, configuration. Nothing is imported here.

Its public modules are imported one by one, since listing machines, for one, must not load servers: `base.config`,
`base.settings_list`, `base.log_limits`, `app.machines`, `app.snapshot_store`, `app.run` and `panels`.
"""

__all__: list[str] = []
