"""Serves clients over Socket.IO and HTTP: logins, calls, events and pages."""
