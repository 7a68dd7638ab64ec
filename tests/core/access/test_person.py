import pytest

from appliance.core.access.person import Role, highest, require_name
from appliance.core.refusal import Refused


@pytest.mark.parametrize(
    ("roles", "most", "expected"),
    [
        ([], Role.ADMIN, None),
        ([Role.VIEWER], Role.ADMIN, Role.VIEWER),
        ([Role.VIEWER, Role.ADMIN, Role.OPERATOR], Role.ADMIN, Role.ADMIN),
        ([Role.ADMIN], Role.OPERATOR, Role.OPERATOR),
        ([Role.ADMIN], Role.VIEWER, Role.VIEWER),
    ],
)
def test_the_highest_role_counts_up_to_the_most_that_is_allowed(roles, most, expected):
    assert highest(roles, most) is expected


@pytest.mark.parametrize("name", ["anna", "a", "anna.b@example.org", "9", "x" * 64])
def test_a_name_that_can_be_typed_is_taken(name):
    require_name(name)


@pytest.mark.parametrize("name", ["", " anna", "-anna", "an na", "anna\n", "x" * 65, "größe", "a/b"])
def test_another_name_is_refused(name):
    with pytest.raises(Refused, match="name"):
        require_name(name)
