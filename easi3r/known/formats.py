"""Recognising the format of a file or folder, by names and content; two at once are refused."""

import posixpath
from dataclasses import dataclass

from easi3r.errors import KnownInputError
from easi3r.known.colmap import Encoding, read_colmap_lenses, read_colmap_poses
from easi3r.known.known_files import child, is_folder, names_in, read_json
from easi3r.known.lens import LensTable
from easi3r.known.nerfstudio import is_nerfstudio, read_nerfstudio_lenses, read_nerfstudio_poses
from easi3r.known.number_rows import (
    POSE_SUFFIX,
    read_matrix_lens,
    read_pose_folder,
    read_pose_rows,
)
from easi3r.known.plain_json import read_json_lenses, read_json_poses
from easi3r.known.pose_table import PoseTable

_ENCODINGS: tuple[Encoding, ...] = ("txt", "bin")
_TRANSFORMS = "transforms.json"
_COLMAP_FILES = ("cameras", "images")


@dataclass(frozen=True)
class _Colmap:
    """A COLMAP model.

    Attributes:
        names: of its folder's files.
    """

    folder: str
    encoding: Encoding
    names: tuple[str, ...]


@dataclass(frozen=True)
class _PoseFolder:
    """A folder of `*.pose.txt`."""

    url: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _JsonFile:
    """nerfstudio's JSON, or ours."""

    url: str


@dataclass(frozen=True)
class _NumberRows:
    """Text of numbers."""

    url: str


_Layout = _Colmap | _PoseFolder | _JsonFile | _NumberRows


def read_poses(url: str) -> PoseTable:
    """The poses in a file or folder of any format that docs/known-inputs.md lists.

    Raises:
        KnownInputError: none of the formats, several of them, or what the format's reader says.
        StorageUnavailableError: storage fails for now.
    """
    match _recognise(url):
        case _Colmap(folder, encoding, names):
            return read_colmap_poses(folder, encoding, names)
        case _PoseFolder(folder, names):
            return read_pose_folder(folder, names)
        case _NumberRows(file):
            return read_pose_rows(file)
        case _JsonFile(file):
            document = read_json(file)
            read = read_nerfstudio_poses if is_nerfstudio(document) else read_json_poses
            return read(file, document)


def read_lenses(url: str) -> LensTable:
    """The cameras in a file or folder of any format that docs/known-inputs.md lists.

    Raises:
        KnownInputError: none of the formats, several of them, or what the format's reader says.
        StorageUnavailableError: storage fails for now.
    """
    match _recognise(url):
        case _Colmap(folder, encoding, names):
            return read_colmap_lenses(folder, encoding, names)
        case _PoseFolder(folder, _):
            problem = f"holds poses ({POSE_SUFFIX}), no intrinsics"
            raise KnownInputError(folder, problem, "Give its camera-intrinsics.txt, or a JSON file")
        case _NumberRows(file):
            return read_matrix_lens(file)
        case _JsonFile(file):
            document = read_json(file)
            read = read_nerfstudio_lenses if is_nerfstudio(document) else read_json_lenses
            return read(file, document)


def _recognise(url: str) -> _Layout:
    if is_folder(url):
        return _recognise_folder(url)
    folder, name = posixpath.split(url)
    stem, suffix = posixpath.splitext(name)
    encoding = suffix.removeprefix(".")
    if stem in _COLMAP_FILES and encoding in _ENCODINGS:
        return _Colmap(folder or ".", encoding, names_in(folder or "."))
    return _JsonFile(url) if suffix.lower() == ".json" else _NumberRows(url)


def _recognise_folder(url: str) -> _Layout:
    names = names_in(url)
    layouts: dict[str, _Layout] = {}
    for encoding in _ENCODINGS:
        files = [f"{stem}.{encoding}" for stem in _COLMAP_FILES if f"{stem}.{encoding}" in names]
        if files:
            layouts[f"COLMAP ({files[0]})"] = _Colmap(url, encoding, names)
    if _TRANSFORMS in names:
        layouts[f"nerfstudio ({_TRANSFORMS})"] = _JsonFile(child(url, _TRANSFORMS))
    if poses := [name for name in names if name.endswith(POSE_SUFFIX)]:
        layouts[f"7-Scenes ({poses[0]})"] = _PoseFolder(url, names)
    if "sparse/" in names:
        layouts["COLMAP (sparse/)"] = _sparse_model(child(url, "sparse"))
    if len(layouts) == 1:
        return next(iter(layouts.values()))
    if layouts:
        problem = f"holds several formats: {', '.join(layouts)}"
        raise KnownInputError(url, problem, "Name the file, or keep one of them in the folder")
    problem = "holds none of COLMAP's images.txt, images.bin, transforms.json, *.pose.txt"
    raise KnownInputError(url, problem, "Give one of the formats of docs/known-inputs.md")


def _sparse_model(url: str) -> _Layout:
    """The model under a `sparse` folder: in it, or in the only numbered folder."""
    models = [name for name in names_in(url) if name.rstrip("/").isdigit() and name.endswith("/")]
    if len(models) > 1:
        problem = f"holds {len(models)} models: {', '.join(models)}"
        raise KnownInputError(url, problem, "Name the folder of one of them")
    return _recognise_folder(child(url, models[0].rstrip("/")) if models else url)
