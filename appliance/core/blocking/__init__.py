"""Decides what must not pass: targets, blocks, the ranges that they claim, names, protections, imported lists."""
