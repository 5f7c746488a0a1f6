"""Configuration for the services of a control room: archiver, alarm server, directory of channels, save-and-restore."""

from gnomon.clients.site_files.alarm_tree import alarm_tree
from gnomon.clients.site_files.archiver_list import archiver_list
from gnomon.clients.site_files.channel_directory import channel_directory
from gnomon.clients.site_files.save_set import save_set

__all__ = ["alarm_tree", "archiver_list", "channel_directory", "save_set"]
