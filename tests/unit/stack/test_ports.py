"""The ports of a stack that does not take the well-known ones."""

import socket
from pathlib import Path

from stack.layout import HOST
from stack.state import PORTS_FILE, own_ports


def test_a_folder_keeps_its_free_ports(tmp_path: Path) -> None:
    """The next start takes the same ports, so that the checkpoints, which bear the hub's address, are found."""
    assert own_ports(tmp_path) == own_ports(tmp_path)


def test_a_port_that_somebody_took_is_given_up(tmp_path: Path) -> None:
    """A kept port that another process holds by now leads to new ones."""
    kept = own_ports(tmp_path)
    with socket.socket() as other:
        other.bind((HOST, kept["cosmos"]))
        other.listen()
        assert own_ports(tmp_path)["cosmos"] != kept["cosmos"]


def test_a_broken_file_of_ports_is_written_anew(tmp_path: Path) -> None:
    """Neither garbage nor ports of an older version keep the stack from starting."""
    for text in ("{", '{"cosmos": 1}', '{"cosmos": "x"}'):
        (tmp_path / PORTS_FILE).write_text(text)
        assert own_ports(tmp_path) == own_ports(tmp_path)
