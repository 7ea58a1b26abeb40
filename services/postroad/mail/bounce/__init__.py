"""Notices that no program was meant to read: tables of their words, and a small engine that runs them (P4, P6)."""
