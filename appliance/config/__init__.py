"""The configuration: one TOML file, checked whole and turned into frozen values."""

from appliance.config.reading import ConfigError, load, parse
from appliance.config.sections import DEFAULT_LIMITS, Config, LimitsSection, Server

__all__ = ["DEFAULT_LIMITS", "Config", "ConfigError", "LimitsSection", "Server", "load", "parse"]
