"""Object stores: durable, whole, found by digest, and clear about what is wrong."""

import asyncio
import errno
import hashlib
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from obstore.store import from_url

from postroad.runtime.files import FileStore
from postroad.runtime.objects import BucketStore, open_store
from postroad.runtime.worker import Unavailable

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
    ("error", "advice"),
    [
        pytest.param(errno.ENOSPC, "free disk space", id="full"),
        pytest.param(errno.EROFS, "mount it writable", id="read-only"),
        pytest.param(errno.EACCES, "let postroad's user write there", id="no right to"),
        pytest.param(errno.EIO, "check the disk", id="broken"),
    ],
)
async def test_a_failing_disk_is_unavailable_and_says_what_to_do(
    error: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match=advice):
        await open_store(f"file:{tmp_path}").put(CONTENT)
    assert not files(tmp_path)


async def test_a_folder_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "objects").write_bytes(b"")
    with pytest.raises(Unavailable, match="check the disk and the folder"):
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


async def test_a_bucket_that_cannot_be_reached_is_unavailable() -> None:
    """Nothing listens on port 1 of the loopback."""
    store = BucketStore(
        from_url("http://127.0.0.1:1/", client_options={"allow_http": True}, retry_config={"max_retries": 0}),
        "http://127.0.0.1:1/",
    )
    with pytest.raises(Unavailable, match="check its address"):
        await store.get(REF)


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
