"""Whether shards are surely ours is known without asking the database."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from applier.lease import Lease


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Session:
    """Both ends of a connection to a server, and a lease over it."""

    ours: socket.socket
    servers: socket.socket
    clock: Clock
    lease: Lease


@pytest.fixture
def session() -> Iterator[Session]:
    ours, servers = socket.socketpair()
    clock = Clock()
    lease = Lease(15.0, clock=clock)
    lease.began(ours.fileno())
    lease.answered(clock.now)
    yield Session(ours, servers, clock, lease)
    ours.close()
    servers.close()


def test_nothing_is_certain_before_the_server_answered(session: Session) -> None:
    lease = Lease(15.0, clock=session.clock)
    assert not lease.is_certain()
    lease.began(session.ours.fileno())
    assert not lease.is_certain()
    lease.answered(session.clock.now)
    assert lease.is_certain()


def test_trust_ends_before_the_server_ends_the_session(session: Session) -> None:
    session.clock.now += 9.9
    assert session.lease.is_certain()
    session.clock.now += 0.2
    assert not session.lease.is_certain()
    session.lease.answered(session.clock.now)
    assert session.lease.is_certain()


def test_a_server_that_hung_up_is_seen_at_once(session: Session) -> None:
    session.servers.close()
    assert not session.lease.is_certain()


def test_what_an_idle_session_hears_is_its_end(session: Session) -> None:
    session.servers.send(b"E: terminating connection")
    assert not session.lease.is_certain()


def test_answers_while_it_is_used_are_not(session: Session) -> None:
    with session.lease.use():
        session.servers.send(b"rows")
        assert session.lease.is_certain()
        session.ours.recv(100)
    assert session.lease.is_certain()


def test_what_was_begun_under_an_earlier_session_is_not_certain_under_the_next(session: Session) -> None:
    lease, first = session.lease, session.lease.session
    with lease.since(first):
        assert lease.is_certain()
        lease.ended()
        lease.began(session.ours.fileno())
        lease.answered(session.clock.now)
        assert not lease.is_certain()  # another may have held the shards in between
    assert lease.is_certain()
    with lease.since(lease.session):
        assert lease.is_certain()


def test_an_ended_session_is_trusted_no_more(session: Session) -> None:
    session.lease.ended()
    assert not session.lease.is_certain()
