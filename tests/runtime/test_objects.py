"""Object stores: durable, whole, found by digest, and clear about what is wrong."""

import asyncio
import errno
import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from obstore.store import from_url

from postroad.runtime import objects
from postroad.runtime.files import FileStore
from postroad.runtime.objects import BucketStore, MemoryStore, away, keeps, open_store
from postroad.runtime.worker import ObjectStore, Unavailable, Unusable
from postroad_schemas.values import ObjectRef

CONTENT = b"Subject: hello\r\n\r\nworld\r\n"
REF = f"sha256/{hashlib.sha256(CONTENT).hexdigest()}"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(params=["file", "memory:", "memory:///"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file:{tmp_path / 'objects'}" if request.param == "file" else str(request.param)


async def test_what_was_put_is_found_by_its_digest(url: str) -> None:
    store = open_store(url)
    made = await store.put(CONTENT)
    assert (made.ref, made.size) == (REF, len(CONTENT))
    assert await store.put(CONTENT) == made
    assert await store.get(REF) == CONTENT
    assert await store.get((await store.put(b"")).ref) == b""


async def test_what_was_deleted_is_absent_and_may_be_deleted_again(url: str) -> None:
    store = open_store(url)
    await store.put(CONTENT)
    await store.delete(REF)
    await store.delete(REF)
    with pytest.raises(LookupError, match="not in the object store"):
        await store.get(REF)


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param("sha256/" + "0" * 64, id="never put"),
        pytest.param("../../etc/passwd", id="a path out of the store"),
        pytest.param("sha256/" + "A" * 64, id="upper case"),
        pytest.param("", id="empty"),
    ],
)
async def test_what_is_no_ref_of_ours_is_absent(url: str, ref: str) -> None:
    with pytest.raises(LookupError):
        await open_store(url).get(ref)


async def test_equal_contents_at_once_become_one_whole_file(tmp_path: Path) -> None:
    store = open_store(f"file:{tmp_path}")
    content = os.urandom(200_000)
    refs = await asyncio.gather(*(store.put(content) for _ in range(40)))
    assert len({ref.ref for ref in refs}) == 1
    (file,) = files(tmp_path)
    assert file.read_bytes() == content
    assert file.relative_to(tmp_path).parts == ("sha256", file.name[:2], file.name)


async def test_an_object_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store = open_store(f"file:{tmp_path}")
    path = tmp_path / "sha256" / REF[7:9] / REF[7:]
    await store.put(CONTENT)
    before = path.stat().st_ino
    await store.put(CONTENT)
    assert path.stat().st_ino == before


async def test_a_truncated_object_is_written_anew(tmp_path: Path) -> None:
    store = open_store(f"file:{tmp_path}")
    path = tmp_path / "sha256" / REF[7:9] / REF[7:]
    await store.put(CONTENT)
    path.write_bytes(CONTENT[:3])
    await store.put(CONTENT)
    assert await store.get(REF) == CONTENT


async def test_the_file_then_its_name_are_on_the_disk_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is the guarantee: content synced, renamed, folder synced."""
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(handle: int) -> None:
        target = Path(f"/proc/self/fd/{handle}").readlink()
        steps.append(f"fsync {'folder' if target.is_dir() else 'file'} {len(target.relative_to(tmp_path).parts)}")
        fsync(handle)

    def note_replace(path: str, target: str) -> None:
        steps.append("rename")
        replace(path, target)

    store = open_store(f"file:{tmp_path}")
    await store.put(b"another one, so that the folders above are known")
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    await store.put(CONTENT)
    assert steps[-3:] == ["fsync file 3", "rename", "fsync folder 2"]
    assert steps[:-3] == ["fsync folder 1"], "new folders last before something is put under them"


@contextmanager
def files_of_at_most(octets: int) -> Iterator[None]:
    """As on a disk that gets full in the middle of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_gets_full_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    store = open_store(f"file:{tmp_path}")
    content = os.urandom(100_000)
    with files_of_at_most(50_000), pytest.raises(Unavailable, match="File too large: raise the limit"):
        await store.put(content)
    assert not files(tmp_path)
    assert await store.get((await store.put(content)).ref) == content


@pytest.mark.parametrize(
    ("error", "advice", "for_good"),
    [
        pytest.param(errno.ENOSPC, "free disk space", False, id="full"),
        pytest.param(errno.EROFS, "mount it writable", True, id="read-only"),
        pytest.param(errno.EACCES, "let postroad's user write there", True, id="no right to"),
        pytest.param(errno.EIO, "check the disk", False, id="broken"),
    ],
)
async def test_a_failing_disk_is_unavailable_and_says_what_to_do(
    error: int, advice: str, for_good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", fail)
    store = open_store(f"file:{tmp_path}")
    with pytest.raises(Unavailable, match=advice) as raised:
        await store.put(CONTENT)
    assert isinstance(raised.value, Unusable) is for_good
    assert not files(tmp_path)
    if for_good:
        with pytest.raises(Unusable, match=advice):
            await away(store)
    else:
        assert advice in await away(store)  # a start goes on


async def test_a_folder_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "objects").write_bytes(b"")
    with pytest.raises(Unusable, match="name a folder in"):
        await FileStore(tmp_path / "objects").put(CONTENT)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("var/objects", 'write "file:PATH"', id="no kind"),
        pytest.param("nonsense://x", "no object store that can be opened", id="unknown kind"),
    ],
)
def test_an_url_that_names_no_store_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        open_store(url)


def nowhere() -> BucketStore:
    """Nothing listens on port 1 of the loopback."""
    url = "http://127.0.0.1:1/"
    return BucketStore(from_url(url, client_options={"allow_http": True}, retry_config={"max_retries": 0}), url)


async def test_a_bucket_that_cannot_be_reached_is_unavailable() -> None:
    store = nowhere()
    for asked in (store.get(REF), store.put(CONTENT), store.delete(REF)):
        with pytest.raises(Unavailable, match="check its address") as raised:
            await asked
        assert not isinstance(raised.value, Unusable)
        assert "\n" not in str(raised.value)


# At a start


async def test_a_store_that_keeps_what_it_is_given_is_as_it_was(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    assert await keeps(store)
    assert await away(store) == ""
    assert not files(tmp_path)


class Forgetful(MemoryStore):
    async def get(self, ref: str) -> bytes:
        raise LookupError(ref)


class Slow(MemoryStore):
    async def put(self, content: bytes) -> ObjectRef:
        await asyncio.sleep(30)
        return await super().put(content)


@pytest.mark.parametrize(
    ("store", "words"),
    [
        pytest.param(nowhere(), "check its address, credentials and rights", id="nobody there"),
        pytest.param(Forgetful(), "gave back other bytes", id="it keeps nothing"),
        pytest.param(Slow(), "does not answer within 0.2 seconds", id="no answer"),
    ],
)
async def test_a_store_that_is_away_at_a_start(store: ObjectStore, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "START_SECONDS", 0.2 if isinstance(store, Slow) else 20)
    assert words in await away(store)


def test_a_process_that_could_not_reach_its_bucket_ends_as_it_says() -> None:
    """Tasks of the library that outlive the interpreter would abort it, whatever its exit code was to be."""
    program = (
        "import asyncio, sys; from postroad.runtime.objects import away, open_store\n"
        "sys.exit(7 if asyncio.run(away(open_store('s3://bucket'))) else 0)"
    )
    near = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    login = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **near, **login}
    running = [subprocess.Popen([sys.executable, "-c", program], env=env) for _ in range(3)]
    assert [each.wait(60) for each in running] == [7, 7, 7]


async def test_folders_that_were_taken_away_are_made_again_and_nothing_is_said_to_be_kept_meanwhile(
    tmp_path: Path,
) -> None:
    store = open_store(f"file:{tmp_path / 'objects'}")
    await store.put(CONTENT)
    await asyncio.to_thread(shutil.rmtree, tmp_path / "objects")
    with pytest.raises(Unavailable, match="No such file or directory"):
        await store.put(CONTENT)
    await store.put(CONTENT)
    assert await store.get(REF) == CONTENT
