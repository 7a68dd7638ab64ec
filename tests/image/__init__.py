"""Tests of the card's image: without a boot, and in QEMU."""
