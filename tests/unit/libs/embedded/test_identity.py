import pwd

import pytest

from libs.embedded.identity import Identity, Way, candidates, refused
from libs.errors import UserError


def user(name: str, uid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid + 1, "", "/", "/bin/sh"))


ROOT, NOBODY, ANNA = user("root", 0), user("nobody", 65534), user("anna", 1000)


def test_an_ordinary_user_stays_as_it_is() -> None:
    (only,) = candidates(1000, 1001, [ROOT, NOBODY, ANNA])
    assert only == Identity(Way.SAME, 1000, 1001)
    assert only.words == "same"


def test_root_tries_a_namespace_then_another_user() -> None:
    namespace, setuid = candidates(0, 0, [ROOT, ANNA, NOBODY])
    assert (namespace.words, setuid.words) == ("namespace:65534:65535", "setuid:65534:65535")
    assert namespace.owner(0, 0) == (0, 0)
    assert setuid.owner(0, 0) == (65534, 65535)


def test_a_user_without_an_entry_gets_a_name_in_a_namespace() -> None:
    assert candidates(4711, 0, [ROOT, ANNA]) == (Identity(Way.NAMESPACE, 1000, 1001),)


def test_nobody_to_stand_in_is_told() -> None:
    with pytest.raises(UserError, match="no user but root"):
        candidates(0, 0, [ROOT])


def test_a_refusal_names_the_remedy() -> None:
    problem = refused("initdb: cannot be run as root").problem
    assert "cannot be run as root" in problem.reason
    assert "user namespaces" in problem.remedy
