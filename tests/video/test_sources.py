"""Listing collections."""

import json
import os
import zipfile
from pathlib import Path

import fsspec
import pyarrow
import pyarrow.parquet
import pytest
import s3fs

from easi3r.errors import SourceError, UnreadableURLError
from easi3r.knowledge import KnownInputs
from easi3r.video import describe, list_videos, scan_source

ODD_NAMES = [
    "[1] a*b?.mp4",
    "a::b.mp4",
    "a b\n.mov",
    "ünï ☃.MKV",
    "#100%25.webm",
    "~.avi",
    "data:x.mp4",
    os.fsdecode(b"\xff\xfe.mp4"),
]


def fill(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return [str(folder / name) for name in names]


def test_folder_takes_video_and_audio_and_counts_the_rest(tmp_path: Path) -> None:
    names = ["b.mp4", "a.MOV", "deep/er/c.webm", "deep/d.mp3", "deep/e.mkv", "f.ts"]
    videos = fill(tmp_path, *names)
    fill(tmp_path, "notes.txt", "deep/more.TXT", "mask.png", "LICENSE")
    listing = list_videos(str(tmp_path))
    assert list(listing) == sorted(videos)
    assert dict(listing.ignored) == {"": 1, ".png": 1, ".txt": 2}
    assert list_videos(f"{tmp_path}/") == listing
    assert listing[0] == sorted(videos)[0]


def test_odd_names_in_a_folder_and_alone(tmp_path: Path) -> None:
    videos = fill(tmp_path, *ODD_NAMES)
    assert list(list_videos(str(tmp_path))) == sorted(videos)
    for video in videos:
        assert list(list_videos(video)) == [video]


def test_glob(tmp_path: Path) -> None:
    a, b, deep, _ = fill(tmp_path, "a.mp4", "b.bin", "x/c.mp4", "d.mp4")
    assert list(list_videos(f"{tmp_path}/[ab].*")) == [a, b]  # every match, whatever its suffix
    assert deep in list_videos(f"{tmp_path}/**/*.mp4")
    with pytest.raises(SourceError, match="no file matches"):
        list_videos(f"{tmp_path}/*.webm")


def test_links(tmp_path: Path) -> None:
    (inside,) = fill(tmp_path / "folder", "a.mp4")
    fill(tmp_path / "elsewhere", "b.mp4")
    (tmp_path / "folder/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "folder")
    linked = str(tmp_path / "folder/link/b.mp4")
    assert list(list_videos(str(tmp_path / "folder"))) == [inside, linked]


@pytest.mark.parametrize("source", ["/no/such/folder", "memory://no/such", "/no/such.csv"])
def test_missing(source: str) -> None:
    with pytest.raises(UnreadableURLError, match=r"cannot be read \(FileNotFoundError"):
        list_videos(source)


def test_unknown_protocol() -> None:
    with pytest.raises(UnreadableURLError, match="foo"):
        list_videos("foo://bucket/videos")


def test_folders_without_videos(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it is empty"):
        list_videos(str(tmp_path))
    fill(tmp_path, "a.txt", "b.txt")
    with pytest.raises(SourceError, match=r"holds no video \(2 \.txt\)"):
        list_videos(str(tmp_path))


def test_an_unreadable_folder_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.mp4", "closed/b.mp4")
    original = os.scandir

    def scandir(path: str):  # type: ignore[no-untyped-def]  # tests may run as root
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UnreadableURLError, match="Permission denied"):
        list_videos(str(tmp_path))


@pytest.fixture
def memory() -> fsspec.AbstractFileSystem:
    filesystem = fsspec.filesystem("memory")
    for name in ("/set/b.mp4", "/set/deep/a.mp4", "/set/notes.txt"):
        filesystem.pipe(name, b"")
    filesystem.pipe("/set/list.csv", b"url\nb.mp4\n../set/deep/a.mp4\n")
    yield filesystem
    filesystem.rm("/set", recursive=True)


@pytest.mark.usefixtures("memory")
def test_sources_on_another_filesystem() -> None:
    videos = ["memory:///set/b.mp4", "memory:///set/deep/a.mp4"]
    listing = list_videos("memory:///set")
    assert list(listing) == videos
    assert dict(listing.ignored) == {".csv": 1, ".txt": 1}
    assert list(list_videos("memory:///set/**/*.mp4")) == videos
    assert list(list_videos("memory:///set/list.csv")) == videos
    assert list(list_videos(videos[0])) == videos[:1]


def test_videos_inside_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "videos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x/a.mp4", b"abc")
    url = f"zip://x::file://{archive}"
    assert list(list_videos(url)) == [f"zip://x/a.mp4::file://{archive}"]
    with fsspec.open(list_videos(url)[0]) as opened:
        assert opened.read() == b"abc"


def manifests(folder: Path, urls: list[str]) -> list[Path]:
    """The same table in each format, with another column beside."""
    rows = [{"split": "train", "url": url} for url in urls]
    csv_lines = "\ufeffsplit,url\r\n" + "".join(f'train,"{url}"\r\n' for url in urls)
    (folder / "m.csv").write_bytes(csv_lines.encode())
    (folder / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    (folder / "m.ndjson").write_text("\n".join(json.dumps(row) for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "m.parquet")
    return sorted(folder.glob("m.*"))


def test_manifests_resolve_relative_urls_and_keep_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    urls = ["z.mp4", "../a, b.mp4", "/data/c.mp4", "s3://bucket/d.mp4", "sub/e ü.mp4"]
    expected = [
        f"{folder}/z.mp4",
        f"{tmp_path}/a, b.mp4",
        "/data/c.mp4",
        "s3://bucket/d.mp4",
        f"{folder}/sub/e ü.mp4",
    ]
    paths = manifests(folder, urls)
    assert len(paths) == 4
    for path in paths:
        assert list(list_videos(str(path))) == expected
        assert list_videos(f"file://{path}")[0] == f"file://{folder}/z.mp4"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.csv", b"", "no column `url`"),
        ("m.csv", b"uri\na.mp4\n", r"header \['uri'\] has no column `url`"),
        ("m.csv", b"url\n", "no rows"),
        ("m.csv", b"x,url\n1,a.mp4\n2\n", "row 2 has no url"),
        ("m.csv", b"url\na.mp4\n\xff\xfe\n", "malformed manifest: .*utf-8"),
        ("m.csv", b'url\n"a.mp4\n', "malformed manifest: unexpected end of data"),
        ("m.jsonl", b'{"url": "a.mp4"}\n{"uri": 1}\n', "row 2 has no url"),
        ("m.jsonl", b'{"url": "a.mp4"}\n{"url": 7}\n', "row 2: `url` is 7, no path or URL"),
        ("m.jsonl", b'{"url": "a.mp4", "poses": [1]}\n', r"row 1: `poses` is \[1\], no path"),
        (
            "m.csv",
            b"url,poses,metric\na.mp4,p.txt,metres\n",
            "row 1: `metric` is 'metres', neither",
        ),
        ("m.csv", b"url,poses,metric\na.mp4,,yes\n", "row 1: `metric` is set, but not `poses`"),
        ("m.jsonl", b"[1]\n", "row 1 has no url"),
        ("m.jsonl", b"{nonsense\n", "malformed manifest: Expecting property name"),
        ("m.ndjson", b"\n", "no rows"),
        ("m.parquet", b"PAR0", "malformed manifest: .*Parquet"),
    ],
)
def test_malformed_manifests(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words) as caught:
        list_videos(str(path))
    assert caught.value.subject == str(path)


def test_manifests_name_what_is_known_of_their_videos(tmp_path: Path) -> None:
    rows = [
        {"url": "a.mp4", "intrinsics": "lens.json", "poses": "../p", "metric": True},
        {"url": "b.mp4", "poses": "s3://bucket/p.txt", "motion_masks": "/masks/b", "metric": False},
        {"url": "c.mp4", "metric": None},
    ]
    names = ("url", "intrinsics", "poses", "metric", "motion_masks")
    whole = [{name: row.get(name) for name in names} for row in rows]
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in whole]
    text = "\n".join(",".join(row) for row in [list(names), *cells])
    (tmp_path / "m.csv").write_text(text.replace("True", "true"))
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(whole), tmp_path / "m.parquet")
    expected = [
        KnownInputs(f"{tmp_path}/lens.json", str(tmp_path.parent / "p"), metric=True),
        KnownInputs(poses="s3://bucket/p.txt", motion_masks="/masks/b"),
        None,
    ]
    for manifest in tmp_path.glob("m.*"):
        assert [video.known for video in scan_source(str(manifest))] == expected


def test_parquet_without_the_column(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"uri": ["a.mp4"]}), path)
    with pytest.raises(SourceError, match=r"columns \['uri'\] have no `url`"):
        list_videos(str(path))


def test_a_name_that_a_manifest_repeats_counts_once(tmp_path: Path) -> None:
    for path in manifests(tmp_path, ["a.mp4", "b.mp4", "a.mp4", "x/../a.mp4"]):
        listing = list_videos(str(path))
        assert list(listing) == [f"{tmp_path}/a.mp4", f"{tmp_path}/b.mp4"]
        assert listing.repeated == 2


def test_folders_are_streamed_in_the_order_of_whole_paths(tmp_path: Path) -> None:
    names = ["a.mp4", "a/z.mp4", "a-b.mp4", "a0/b.mp4", "a/b/c.mp4", "b.mp4", "a /x.mp4"]
    videos = fill(tmp_path, *names)
    assert [video.url for video in scan_source(str(tmp_path))] == sorted(videos)


def test_a_scan_gives_size_and_version_of_files(tmp_path: Path) -> None:
    (name,) = fill(tmp_path, "a.mp4")
    (before,) = scan_source(str(tmp_path))
    assert before == next(scan_source(name))
    assert before.version == describe(name).version
    Path(name).write_bytes(b"more")
    os.utime(name, ns=(1, 1))
    (after,) = scan_source(str(tmp_path))
    assert (before.size_bytes, after.size_bytes) == (0, 4)
    assert before.version != after.version


def test_a_bucket_is_listed_page_by_page(bucket: str) -> None:
    filesystem = s3fs.S3FileSystem()
    names = [f"{bucket}/set/{number:04}.mp4" for number in range(1005)]  # a page is 1000
    filesystem.pipe({name: b"x" for name in [*names, f"{bucket}/set/a.txt", f"{bucket}/b.mp4"]})
    scan = scan_source(f"s3://{bucket}/set")
    videos = list(scan)
    assert [video.url for video in videos] == [f"s3://{name}" for name in names]
    assert scan.ignored == {".txt": 1}
    assert videos[0].size_bytes == 1
    assert videos[0].version == describe(videos[0].url).version
