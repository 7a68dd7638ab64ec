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
def test_the_highest_role_counts_up_to_the_most_that_is_allowed(
    roles: list[Role], most: Role, expected: Role | None
) -> None:
    assert highest(roles, most) is expected


@pytest.mark.parametrize("name", ["anna", "a", "anna.b@example.org", "9", "x" * 64])
def test_a_good_name_is_accepted(name: str) -> None:
    require_name(name)


@pytest.mark.parametrize("name", ["", " anna", "-anna", "an na", "anna\n", "x" * 65, "größe", "a/b"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="name"):
        require_name(name)
