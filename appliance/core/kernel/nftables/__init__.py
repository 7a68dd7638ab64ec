"""Nftables."""
