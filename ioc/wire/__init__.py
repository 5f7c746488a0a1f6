"""Messages of Channel Access and PV Access as bytes: framing and constants, pure."""
