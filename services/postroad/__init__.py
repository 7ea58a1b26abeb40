"""postroad: an e-mail gateway for business applications, as an event-driven pipeline."""

__version__ = "0.1.0"
