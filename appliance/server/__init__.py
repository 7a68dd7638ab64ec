"""The Socket.IO server: who may connect, what a client may call, and the way of an event to a dashboard."""
