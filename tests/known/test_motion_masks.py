from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import KnownInputError
from easi3r.knowledge import KnownInputs
from easi3r.known import read_known
from easi3r.known.motion_masks import find_masks
from tests.known import writers as w


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "masks"
    path.mkdir()
    return path


def square() -> np.ndarray:
    mask = np.zeros((w.HEIGHT, w.WIDTH), np.uint8)
    mask[10:30, 20:50] = 1
    return mask


def palette(indices: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.new("P", indices.shape[::-1])
    image.putdata(indices.ravel().tolist())
    image.putpalette(colours + [0] * (768 - len(colours)))
    return image


MODES = {
    "ones": Image.fromarray(square()),
    "grey": Image.fromarray(square() * 255),
    "one bit": Image.fromarray(square() * 255).convert("1"),
    "colour": Image.fromarray(np.stack([square() * 0, square() * 7, square() * 0], axis=-1)),
    "16 bits": Image.fromarray(square().astype(np.uint16) * 300),
    "palette": palette(square(), [0, 0, 0, 128, 0, 0]),
    "palette, background last": palette(1 - square(), [0, 0, 200, 0, 0, 0]),
    "grey and alpha": Image.merge(
        "LA", [Image.fromarray(square()), Image.new("L", (w.WIDTH, w.HEIGHT), 255)]
    ),
    "colour and alpha": Image.fromarray(square() * 255).convert("RGBA"),
}


@pytest.mark.parametrize("image", MODES.values(), ids=MODES.keys())
def test_everything_but_black_moves(folder: Path, image: Image.Image) -> None:
    image.save(folder / "00000.png")
    masks = find_masks(str(folder), w.video_of(3))
    np.testing.assert_array_equal(masks.read(0), square().astype(bool))
    assert masks.names == ("00000.png", None, None)


def test_edges_that_jpeg_blurs_do_not_move(folder: Path) -> None:
    Image.fromarray(square() * 255).save(folder / "0.jpg", quality=60)
    mask = find_masks(str(folder), w.video_of(2)).read(0)
    np.testing.assert_array_equal(mask, square().astype(bool))


def test_names_are_sorted_by_number(folder: Path) -> None:
    for number in range(12):
        Image.fromarray(square() * (number % 2)).save(folder / f"{number + 1}.png")
    (folder / "._1.png").write_bytes(b"")
    (folder / "notes.txt").write_text("")
    masks = find_masks(str(folder), w.video_of(12))
    assert masks.names[9] == "10.png"
    assert [masks.read(n).any() for n in range(12)] == [n % 2 == 1 for n in range(12)]


def test_masks_of_another_size_are_refused_before_anything_is_computed(folder: Path) -> None:
    Image.fromarray(square()).save(folder / "0.png")
    Image.fromarray(square()[:32]).save(folder / "1.png")
    with pytest.raises(KnownInputError, match=r"1\.png: is 96x32, its video 96x64\. Give masks of"):
        read_known(KnownInputs(motion_masks=str(folder)), w.video_of(2))


def test_a_damaged_mask_is_refused_by_name(folder: Path) -> None:
    Image.fromarray(square()).save(folder / "0.png")
    content = (folder / "0.png").read_bytes()
    (folder / "0.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(KnownInputError, match=r"0\.png: is no image that can be read"):
        read_known(KnownInputs(motion_masks=str(folder)), w.video_of(2))


def test_no_folder_and_an_empty_folder(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file.png").write_bytes(b"")
    for url, words in (
        (tmp_path / "file.png", "is not a folder"),
        (folder, "holds no PNG or JPEG image"),
        (tmp_path / "nothing", "cannot be read"),
    ):
        with pytest.raises(KnownInputError, match=words):
            find_masks(str(url), w.video_of(2))


def test_the_digest_is_that_of_names_and_bytes(folder: Path) -> None:
    def digest() -> str:
        return read_known(KnownInputs(motion_masks=str(folder)), w.video_of(2)).digest

    Image.fromarray(square()).save(folder / "0.png")
    first = digest()
    assert digest() == first
    (folder / "0.png").rename(folder / "00.png")
    renamed = digest()
    Image.fromarray(square() * 2).save(folder / "00.png")
    assert len({first, renamed, digest()}) == 3
