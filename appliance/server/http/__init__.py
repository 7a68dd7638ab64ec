"""Accepts connections and judges requests before any page or session sees them; speaks TLS."""
