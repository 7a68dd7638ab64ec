"""Builds and opens what decides who gets in, for the service and for the command line without one."""
