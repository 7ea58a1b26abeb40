"""Log, states, positions and tables in one SQLite file. One connection, used by one thread."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from postroad.runtime.worker import NotThere, Unavailable
from postroad.stage import Emission
from postroad_schemas import TOPICS, Record

VERSION = 2
SCHEMA = """
CREATE TABLE records (
    topic TEXT, "offset" INTEGER, key BLOB, value BLOB, at REAL, headers BLOB, PRIMARY KEY (topic, "offset")
) WITHOUT ROWID;
CREATE TABLE rows (topic TEXT, key BLOB, value BLOB, at REAL, "offset" INTEGER, PRIMARY KEY (topic, key)) WITHOUT ROWID;
CREATE TABLE ends (topic TEXT PRIMARY KEY, "offset" INTEGER) WITHOUT ROWID;
CREATE TABLE states (core TEXT, key BLOB, state BLOB, due REAL, PRIMARY KEY (core, key)) WITHOUT ROWID;
CREATE INDEX states_due ON states (core, due) WHERE due IS NOT NULL;
CREATE TABLE positions (core TEXT, topic TEXT, "offset" INTEGER, PRIMARY KEY (core, topic)) WITHOUT ROWID;
CREATE TABLE done (core TEXT, topic TEXT, "offset" INTEGER, PRIMARY KEY (core, topic, "offset")) WITHOUT ROWID;
CREATE TABLE inbox (number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT, key BLOB, value BLOB, headers BLOB);
"""
# From each former version to the next: a file is brought up to date when it is opened.
UPGRADES = {1: "ALTER TABLE inbox ADD COLUMN headers BLOB"}
SETTINGS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "temp_store=MEMORY", "busy_timeout=5000")


@dataclass(slots=True)
class Stored:
    """A record of the log. Offsets of a topic grow; they begin with 1."""

    topic: str
    offset: int
    key: bytes
    value: bytes | None  # None: the end of a table row
    at: float  # when it was appended, seconds since the epoch
    headers: tuple[tuple[str, bytes], ...] = ()  # of dead letters; the others' follow from their events
    event: Any = None  # decoded once, for all readers

    @property
    def partition(self) -> int:
        return 0

    @property
    def timestamp(self) -> int:
        """Milliseconds, as Kafka has it."""
        return int(self.at * 1000)


class Kept(NamedTuple):
    """A key's new state; None deletes it."""

    core: str
    key: bytes
    state: bytes | None
    due: float | None  # seconds since the epoch


class Place(NamedTuple):
    """Up to where, or what, a stage or sender has read."""

    core: str
    topic: str
    offset: int


@dataclass(slots=True)
class Changes:
    """What one step, or many, want written at once."""

    records: list[Record] = field(default_factory=list)
    states: dict[tuple[str, bytes], Kept] = field(default_factory=dict)
    positions: dict[tuple[str, str], int] = field(default_factory=dict)
    done: list[Place] = field(default_factory=list)  # above the position
    taken: int = 0  # up to which number the inbox is taken with this
    emitted: list[Emission] = field(default_factory=list)  # what the records were, to be counted once they are durable


class SqliteLog:
    """Methods raise sqlite3.Error where the file cannot be read or written."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.ends: dict[str, int] = dict(connection.execute('SELECT topic, "offset" FROM ends'))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Makes the file where there is none. Raises Unavailable with what to do."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, isolation_level=None)
            for setting in SETTINGS:
                connection.execute(f"PRAGMA {setting}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")
            while version in UPGRADES:
                connection.executescript(f"BEGIN; {UPGRADES[version]}; PRAGMA user_version = {version + 1}; COMMIT")
                version += 1
            if version not in (0, VERSION):
                raise Unavailable(f"{path} was written by a newer version of postroad ({version}): use that version")
            return cls(connection)
        except (sqlite3.Error, OSError) as error:
            raise _unavailable(path, error, "opened", "check the path, its rights and the disk") from error

    def close(self) -> None:
        self._db.close()

    def write(self, batch: Sequence[Changes], at: float) -> list[Stored]:
        """All of it in one durable transaction, or nothing. Returns the records of streams and tables in order."""
        stored = self._numbered([made for changes in batch for made in changes.records], at)
        ends = {made.topic: made.offset for made in stored}
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._write_records(stored)
            self._db.executemany("INSERT OR REPLACE INTO ends VALUES (?, ?)", ends.items())
            for changes in batch:
                self._write_progress(changes)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.ends.update(ends)
        return stored

    def fetch(self, topic: str, after: int, limit: int) -> list[Stored]:
        """The next records of a stream in the order of their offsets; of a table those that still stand."""
        found = self._db.execute(_select(topic), (topic, after, limit))
        return [_stored(topic, row) for row in found]

    def load(self, core: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        query = "SELECT state FROM states WHERE core = ? AND key = ?"
        found = ((key, self._db.execute(query, (core, key)).fetchone()) for key in keys)
        return {key: row[0] for key, row in found if row}

    def all_states(self, core: str) -> dict[bytes, bytes]:
        return dict(self._db.execute("SELECT key, state FROM states WHERE core = ?", (core,)))

    def due(self, core: str, until: float | None, limit: int) -> list[bytes]:
        """Keys to be swept, those due longest first; all keys where `until` is None."""
        if until is None:
            found = self._db.execute("SELECT key FROM states WHERE core = ? LIMIT ?", (core, limit))
        else:
            query = "SELECT key FROM states WHERE core = ? AND due <= ? ORDER BY due LIMIT ?"
            found = self._db.execute(query, (core, until, limit))
        return [key for (key,) in found]

    def positions(self, core: str) -> dict[str, int]:
        return dict(self._db.execute('SELECT topic, "offset" FROM positions WHERE core = ?', (core,)))

    def done(self, core: str) -> list[tuple[str, int]]:
        """What lies above the positions and is concluded all the same."""
        return list(self._db.execute('SELECT topic, "offset" FROM done WHERE core = ?', (core,)))

    def rows(self) -> list[tuple[str, bytes, bytes]]:
        """All tables, in the order in which their rows were written."""
        return list(self._db.execute('SELECT topic, key, value FROM rows ORDER BY topic, "offset"'))

    def inbox(self, limit: int) -> Changes | None:
        """What other processes handed in, oldest first; None if there is nothing."""
        query = "SELECT number, topic, key, value, headers FROM inbox ORDER BY number LIMIT ?"
        found = list(self._db.execute(query, (limit,)))
        if not found:
            return None
        records = [Record(topic, key, value, _headers(packed)) for _, topic, key, value, packed in found]
        return Changes(records=records, taken=found[-1][0])

    def forget(self, topic: str, before: float, passed: int, limit: int) -> int:
        """Deletes the oldest records of a stream: appended before a time, and read by all. Returns how many."""
        query = 'SELECT "offset", at FROM records WHERE topic = ? AND "offset" <= ? ORDER BY "offset" LIMIT ?'
        old = 0
        count = 0
        for offset, at in self._db.execute(query, (topic, passed, limit)):
            if at >= before:
                break
            old, count = offset, count + 1
        if count:
            self._db.execute('DELETE FROM records WHERE topic = ? AND "offset" <= ?', (topic, old))
        return count

    def _numbered(self, records: Sequence[Record], at: float) -> list[Stored]:
        ends: dict[str, int] = {}
        stored = []
        for made in records:
            offset = ends.get(made.topic) or self.ends.get(made.topic, 0)
            ends[made.topic] = offset + 1
            stored.append(Stored(made.topic, offset + 1, made.key, made.value, at, _kept_headers(made)))
        return stored

    def _write_records(self, stored: Sequence[Stored]) -> None:
        streams = [
            (it.topic, it.offset, it.key, it.value, it.at, _packed(it.headers))
            for it in stored
            if not is_table(it.topic)
        ]
        newest = {(it.topic, it.key): it for it in stored if is_table(it.topic)}
        rows = [(*at, it.value, it.at, it.offset) for at, it in newest.items() if it.value is not None]
        ended = [at for at, it in newest.items() if it.value is None]
        self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", streams)
        self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", rows)
        self._db.executemany("DELETE FROM rows WHERE topic = ? AND key = ?", ended)

    def _write_progress(self, changes: Changes) -> None:
        kept = [row for row in changes.states.values() if row.state is not None]
        ended = [(row.core, row.key) for row in changes.states.values() if row.state is None]
        passed = [(core, topic, offset) for (core, topic), offset in changes.positions.items()]
        self._db.executemany("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", kept)
        self._db.executemany("DELETE FROM states WHERE core = ? AND key = ?", ended)
        self._db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", passed)
        self._db.executemany("INSERT OR REPLACE INTO done VALUES (?, ?, ?)", changes.done)
        self._db.executemany('DELETE FROM done WHERE core = ? AND topic = ? AND "offset" <= ?', passed)
        if changes.taken:
            self._db.execute("DELETE FROM inbox WHERE number <= ?", (changes.taken,))


def hand_in(path: Path, records: Sequence[Record]) -> None:
    """Puts records where a running postroad finds them, or the next one to start. Durable on return.

    Raises Unavailable.
    """
    opened = SqliteLog.open(path)
    try:
        with opened._db as db:
            db.execute("BEGIN IMMEDIATE")
            rows = [(made.topic, made.key, made.value, _packed(_kept_headers(made))) for made in records]
            db.executemany("INSERT INTO inbox (topic, key, value, headers) VALUES (?, ?, ?, ?)", rows)
    except sqlite3.Error as error:
        raise _unavailable(path, error, "written to", "check the disk and its rights") from error
    finally:
        opened.close()


def _unavailable(path: Path, error: Exception, done: str, advice: str) -> Unavailable:
    """In words, with what to do."""
    if "no such table" in str(error):
        return NotThere(f"the log in {path} is not there: start `postroad up` once, or name its settings with --config")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        advice = "it is damaged, or no log: restore the backup of its folder, or name another in [log] path"
    return Unavailable(f"{path} cannot be {done} ({error}): {advice}")


def is_table(topic: str) -> bool:
    return topic in TOPICS and TOPICS[topic].table


def read_log(path: Path, topic: str, after: int = 0) -> Iterator[Stored]:
    """What a file's topic holds, from any process, also beside a running one. Raises Unavailable."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            while page := [_stored(topic, row) for row in connection.execute(_select(topic), (topic, after, 500))]:
                yield from page
                after = page[-1].offset
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _unavailable(path, error, "read", "check the path and its rights") from error


def read_states(path: Path, core: str, key: bytes | None = None) -> dict[bytes, bytes]:
    """States of a stage or sender, all or of one key, also beside a running process. Raises Unavailable."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            log = SqliteLog(connection)
            return log.all_states(core) if key is None else log.load(core, (key,))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _unavailable(path, error, "read", "check the path and its rights") from error


def _select(topic: str) -> str:
    source = "rows" if is_table(topic) else "records"
    headers = "NULL" if is_table(topic) else "headers"
    return (
        f'SELECT "offset", key, value, at, {headers} FROM {source} '  # noqa: S608
        'WHERE topic = ? AND "offset" > ? ORDER BY "offset" LIMIT ?'
    )


def _stored(topic: str, row: tuple[int, bytes, bytes, float, bytes | None]) -> Stored:
    offset, key, value, at, headers = row
    return Stored(topic, offset, key, value, at, _headers(headers))


def _kept_headers(made: Record) -> tuple[tuple[str, bytes], ...]:
    """Of dead letters, and of those that are sent back; what other headers say follows from their events."""
    sent_back = any(name == "attempts" for name, _ in made.headers)
    return made.headers if sent_back or made.topic not in TOPICS else ()


def _packed(headers: tuple[tuple[str, bytes], ...]) -> bytes | None:
    return msgspec.msgpack.encode(headers) if headers else None


def _headers(packed: bytes | None) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, content) for name, content in msgspec.msgpack.decode(packed)) if packed else ()
