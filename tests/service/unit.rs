//! The units for systemd, as systemd itself reads them.
