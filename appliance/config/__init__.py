"""The configuration: one TOML file, checked whole and turned into frozen values."""

from appliance.config.reading import ConfigError, Fault, judge, load, load_text, parse, text_of
from appliance.config.sections import DEFAULT_LIMITS, Config, LimitsSection, ServerSection

__all__ = [
    "DEFAULT_LIMITS",
    "Config",
    "ConfigError",
    "Fault",
    "LimitsSection",
    "ServerSection",
    "judge",
    "load",
    "load_text",
    "parse",
    "text_of",
]
