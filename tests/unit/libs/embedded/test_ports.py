from pathlib import Path

from libs.embedded.ports import LOCALHOST, Choice, PortBook, listening_socket


def test_ports_are_remembered(tmp_path: Path) -> None:
    names = ("client", "monitor")
    first = PortBook(tmp_path / "ports.json").choose(names, Choice.REMEMBERED)
    assert PortBook(tmp_path / "ports.json").choose(names, Choice.REMEMBERED) == first
    assert len(set(first.values())) == len(names)


def test_a_port_that_somebody_took_is_replaced(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    first = book.choose(("client",), Choice.REMEMBERED)
    with listening_socket(first["client"]) as taken:
        assert taken.getsockname() == (LOCALHOST, first["client"])
        second = book.choose(("client",), Choice.REMEMBERED)
    assert second != first
    assert book.choose(("client",), Choice.REMEMBERED) == second


def test_fresh_ports_forget_the_old_ones(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    first = book.choose(("client",), Choice.REMEMBERED)
    with listening_socket(first["client"]):
        assert book.choose(("client",), Choice.FRESH) != first


def test_a_damaged_book_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"client": "x')
    assert PortBook(tmp_path / "ports.json").choose(("client",), Choice.REMEMBERED)["client"] > 0
