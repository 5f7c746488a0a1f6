"""Sections of the configuration about running a server: its log, and its health and figures over HTTP."""

from ipaddress import ip_address
from typing import Literal

from pydantic import Field, field_validator

from gnomon.ioc.base.section import Section

__all__ = ["LogConfig", "MetricsConfig"]


class LogConfig(Section):
    """The log, on standard error."""

    format: Literal["text", "json"] = Field(
        default="text", description="form of a line: text, or an object (JSON) with time, level, logger and message"
    )


class MetricsConfig(Section):
    """Health and figures over HTTP, for Prometheus and watchdogs: /healthz, /readyz, /metrics; read only, no token."""

    port: int | None = Field(default=None, ge=1, le=65535, description="port (TCP); null: there is none")
    interface: str = Field(default="127.0.0.1", description="IP address to listen on")

    @field_validator("interface")
    @classmethod
    def _is_an_address(cls, interface: str) -> str:
        ip_address(interface)
        return interface
