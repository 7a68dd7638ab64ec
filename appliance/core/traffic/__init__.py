"""Reads packets: headers, DNS answers, visited sites, present devices."""
