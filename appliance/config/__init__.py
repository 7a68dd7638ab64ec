"""The configuration: one TOML file, checked whole and turned into frozen values."""

from appliance.config.reading import ConfigError, load, parse
from appliance.config.sections import Config, Server

__all__ = ["Config", "ConfigError", "Server", "load", "parse"]
