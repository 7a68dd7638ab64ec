"""Names that are known for what they are; the configuration may have others in their place.

An entry is a name, which stands for those below it too, or `label.*`, which stands for every name that begins with it.
"""

from collections.abc import Iterable

# What programs fetch by themselves: the time, whether certificates were revoked, whether there is a way to the
# Internet, and reports about themselves. Each from its maker's list of what a firewall has to let through.
BACKGROUND = (
    *("ntp.*", "time.*", "ntp.org", "time.apple.com", "time.windows.com", "time.google.com", "time.cloudflare.com"),
    *("ocsp.*", "ocsp2.*", "crl.*", "crl3.*", "crl4.*", "ctldl.windowsupdate.com", "c.lencr.org", "o.lencr.org"),
    *("r3.o.lencr.org", "status.rapidssl.com", "ocsp.pki.goog", "c.pki.goog", "o.pki.goog", "valid.apple.com"),
    *("connectivitycheck.*", "detectportal.*", "captive.apple.com", "clients3.google.com", "msftconnecttest.com"),
    *("msftncsi.com", "connectivity-check.ubuntu.com", "nmcheck.gnome.org"),
    *("conncheck.opensuse.org", "play.googleapis.com", "gsp-ssl.ls.apple.com"),
    *("telemetry.*", "vortex.data.microsoft.com", "events.data.microsoft.com", "settings-win.data.microsoft.com"),
    *("watson.telemetry.microsoft.com", "telecommand.telemetry.microsoft.com", "incoming.telemetry.mozilla.org"),
    *("xp.apple.com", "metrics.icloud.com", "app-measurement.com", "crashlyticsreports-pa.googleapis.com"),
    *("app-analytics-services.com", "browser-intake-datadoghq.com", "update.googleapis.com", "mtalk.google.com"),
    *("push.apple.com", "push.services.mozilla.com", "wns.windows.com"),
)
# Resolvers over HTTPS of browsers' and systems' own menus (Chromium's list of DoH providers, Firefox's, Apple's).
ENCRYPTED_DNS = (
    *("dns.google", "dns64.dns.google", "cloudflare-dns.com", "one.one.one.one", "dns.quad9.net", "dns9.quad9.net"),
    *("dns10.quad9.net", "dns11.quad9.net", "doh.opendns.com", "doh.familyshield.opendns.com", "dns.umbrella.com"),
    *("dns.nextdns.io", "doh.cleanbrowsing.org", "dns.adguard-dns.com", "dns.adguard.com", "doh.xfinity.com"),
    *("doh.dns.sb", "dns.sb", "dns0.eu", "dns.mullvad.net", "doh.mullvad.net", "dns.switch.ch", "odvr.nic.cz"),
    *("doh.pub", "dns.alidns.com", "dns.controld.com", "freedns.controld.com", "doh.dns.apple.com", "dns.njal.la"),
    *("resolver-eu.lelux.fi", "dns.digitale-gesellschaft.ch", "doh.libredns.gr", "dns.twnic.tw", "public.dns.iij.jp"),
)
# The names outside an encrypted hello (`public_name`) of who serves it at large.
FRONTS = ("cloudflare-ech.com", "cover.defo.ie", "public.tls-ech.dev")


class NameList:
    """A list of names, asked in the time of a few look-ups however long it is."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._known = frozenset(entries)

    def __contains__(self, name: str) -> bool:
        """Whether an entry stands for this name, in lower case."""
        labels = name.split(".")
        if f"{labels[0]}.*" in self._known:
            return True
        return any(".".join(labels[at:]) in self._known for at in range(len(labels)))
