"""The file for `nft -f`, judged by the real one in a network namespace of its own."""

import subprocess

from appliance.core.blocking.lists.export import minimal_prefixes, write_nftables

SCRIPT = 'nft -f /dev/stdin <<< "$0" && nft -f /dev/stdin <<< "$0" && nft list ruleset'


def test_nft_takes_the_file_again_and_again() -> None:
    for covered in (minimal_prefixes(["10.0.0.0/24", "192.0.2.1", "2001:db8::1"]), minimal_prefixes([])):
        done = subprocess.run(
            ["unshare", "--net", "bash", "-c", SCRIPT, write_nftables(covered)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("table inet appliance_blocks") == 1
        assert ("192.0.2.1" in done.stdout) == bool(covered.v4)
