from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.blocking.lists.address_ranges import AddressRange, address_range, is_inside

NETWORKS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: ip_network((address, length), strict=False)
    )
)


@given(NETWORKS)
def test_a_range_has_the_addresses_of_its_prefix(network) -> None:
    span = address_range(str(network))
    assert span == AddressRange(network.version, int(network.network_address), network.prefixlen)
    assert span.last == int(network.broadcast_address)


@given(NETWORKS, NETWORKS)
def test_inside_means_the_same_as_for_networks(one, other) -> None:
    expected = one.version == other.version and one.subnet_of(other)
    assert is_inside(address_range(str(one)), address_range(str(other))) == expected


def test_a_target_without_addresses_has_no_range() -> None:
    assert address_range("02:00:5e:10:00:01") is None
    assert address_range("1.example.com") is None
    assert address_range("192.0.2.1") == AddressRange(4, 0xC0000201, 32)
