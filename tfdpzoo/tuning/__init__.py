"""Searches for settings whose privacy cost is counted."""
