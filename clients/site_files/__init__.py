"""Configuration for the services of a control room: archiver, alarm server, directory of channels, save-and-restore."""

from gnomon.clients.site_files.alarm_configuration import alarm_tree
from gnomon.clients.site_files.archiving_policy import archiver_list
from gnomon.clients.site_files.channel_payloads import channel_directory
from gnomon.clients.site_files.save_configuration import save_set

__all__ = ["alarm_tree", "archiver_list", "channel_directory", "save_set"]
