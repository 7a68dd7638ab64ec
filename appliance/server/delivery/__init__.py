"""Delivers events to clients: rooms, the outbox of each client, Engine.IO sessions, WebSocket frames."""
