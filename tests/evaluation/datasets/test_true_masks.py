"""What the numbers and colours of masks mean, in every mode of an image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.true_masks import MaskFiles, mask_files
from easi3r.evaluation.sequence import MOVING, STILL, VOID

HEIGHT, WIDTH = 40, 60
BOX = np.zeros((HEIGHT, WIDTH), bool)
BOX[10:31, 20:41] = True  # 441 pixels
TRUE = np.where(BOX, MOVING, STILL)


def read(tmp_path: Path, *images: Image.Image, suffix: str = ".png") -> list[np.ndarray]:
    paths = []
    for at, image in enumerate(images):
        paths.append(tmp_path / f"{at}{suffix}")
        image.save(paths[-1])
    masks = MaskFiles("masks", tuple(paths), WIDTH, HEIGHT)
    return [masks(at) for at in range(len(paths))]


def palette_image(labels: np.ndarray, colours: dict[int, tuple[int, int, int]]) -> Image.Image:
    palette = np.full((256, 3), 77, np.uint8)
    for index, colour in colours.items():
        palette[index] = colour
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(palette.ravel().tolist())
    return image


def with_alpha(image: Image.Image, opaque: bool = True) -> Image.Image:
    alpha = np.where(BOX & ~opaque, 0, 255).astype(np.uint8)
    image.putalpha(Image.fromarray(alpha))
    return image


GREY = Image.fromarray(BOX.astype(np.uint8) * 255)
PALETTE = palette_image(BOX, {0: (0, 0, 0), 1: (128, 0, 0)})


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(BOX),
        GREY,
        Image.fromarray(BOX.astype(np.uint8)),
        Image.fromarray(BOX.astype(np.uint8) * 128),
        Image.fromarray(BOX.astype(np.uint16) * 65535),
        Image.fromarray(BOX.astype(np.uint16) * 1001),
        Image.fromarray(BOX.astype(np.int32) * 3),
        with_alpha(GREY.copy()),
        with_alpha(GREY.copy(), opaque=False),
        PALETTE,
        with_alpha(PALETTE.copy()),
        GREY.convert("RGB"),
        GREY.convert("RGBA"),
        with_alpha(GREY.convert("RGB"), opaque=False),
        PALETTE.convert("RGB"),
        with_alpha(PALETTE.convert("RGB"), opaque=False),
    ],
    ids=lambda image: f"{image.mode}-{np.asarray(image).max()}",
)
def test_every_mode_shows_the_same_box(tmp_path: Path, image: Image.Image) -> None:
    suffix = ".tiff" if image.mode in ("I", "PA") else ".png"
    [mask] = read(tmp_path, image, suffix=suffix)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, TRUE)


def test_transparent_palettes_show_what_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PALETTE.save(path, transparency=1)
    mask = MaskFiles("masks", (path,), WIDTH, HEIGHT)(0)
    np.testing.assert_array_equal(mask, TRUE)


def labelled() -> np.ndarray:
    labels = BOX.astype(np.uint8)
    labels[10:20, 20:41] = 2
    labels[9, 20:41] = 255
    return labels


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(labelled()),
        with_alpha(Image.fromarray(labelled())),
        palette_image(labelled(), {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 255: (9, 9, 9)}),
        palette_image(
            labelled(), {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 255: (224, 224, 192)}
        ).convert("RGB"),
        Image.fromarray(labelled().astype(np.uint16)),
    ],
    ids=lambda image: image.mode,
)
def test_255_beside_labels_is_void(tmp_path: Path, image: Image.Image) -> None:
    [mask] = read(tmp_path, image)
    expected = TRUE.copy()
    expected[9, 20:41] = VOID
    np.testing.assert_array_equal(mask, expected)


def test_255_is_void_in_a_frame_whose_objects_are_gone(tmp_path: Path) -> None:
    """Labels are those of the sequence: a frame alone would not tell void from moving."""
    alone = np.zeros((HEIGHT, WIDTH), np.uint8)
    alone[5:8, 5:8] = 255
    masks = read(tmp_path, Image.fromarray(alone), Image.fromarray(labelled()))
    assert (masks[0][5:8, 5:8] == VOID).all()
    assert not (masks[0] == MOVING).any()


@pytest.mark.parametrize(("quality", "suffix"), [(75, ".jpg"), (30, ".jpg"), (50, ".webp")])
def test_masks_that_were_compressed_are_cut_at_half(
    tmp_path: Path, quality: int, suffix: str
) -> None:
    path = tmp_path / f"0{suffix}"
    GREY.convert("RGB").save(path, quality=quality)
    mask = MaskFiles("masks", (path,), WIDTH, HEIGHT)(0)
    assert len(np.unique(np.asarray(Image.open(path)))) > 10
    np.testing.assert_array_equal(mask, TRUE)


def test_a_jpeg_called_png_is_still_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    GREY.save(path, format="JPEG", quality=50)
    np.testing.assert_array_equal(MaskFiles("masks", (path,), WIDTH, HEIGHT)(0), TRUE)


def test_the_soft_edge_of_a_grey_mask_is_cut_at_half(tmp_path: Path) -> None:
    """Levels between that cover no area are an edge, not labels: white is not void."""
    large = np.kron(BOX[:20, :30], np.ones((4, 4))).astype(np.uint8) * 255
    soft = Image.fromarray(large).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    assert len(np.unique(np.asarray(soft))) > 2
    [mask] = read(tmp_path, soft)
    np.testing.assert_array_equal(mask, np.asarray(soft) >= 128)
    assert not (mask == VOID).any()


@pytest.mark.parametrize("quality", [90, 75, 30])
def test_traces_of_a_compression_are_not_labels(tmp_path: Path, quality: int) -> None:
    GREY.save(tmp_path / "before.jpg", quality=quality)
    [mask] = read(tmp_path, Image.open(tmp_path / "before.jpg"))
    np.testing.assert_array_equal(mask, TRUE)


def test_labels_that_were_compressed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=r"compressed \(JPEG\), and no pixel is brighter"):
        read(tmp_path, Image.fromarray(BOX.astype(np.uint8) * 20), suffix=".jpg")


def test_a_palette_goes_by_colour(tmp_path: Path) -> None:
    labels = np.where(BOX, 0, 5)
    image = palette_image(labels, {5: (0, 0, 0), 0: (255, 255, 255)})
    [mask] = read(tmp_path, image)
    np.testing.assert_array_equal(mask, TRUE)


def test_a_background_of_no_black_is_refused(tmp_path: Path) -> None:
    image = palette_image(np.where(BOX, 0, 5), {5: (0, 90, 0), 0: (255, 0, 0)})
    with pytest.raises(TruthError, match=r"masks: no pixel of any mask is black"):
        read(tmp_path, image)
    with pytest.raises(TruthError, match=r"no pixel of any mask is black"):
        read(tmp_path, Image.fromarray(BOX.astype(np.uint8) + 1))


def test_one_frame_may_move_all_over(tmp_path: Path) -> None:
    full = palette_image(np.ones_like(BOX), {0: (0, 0, 0), 1: (128, 0, 0)})
    masks = read(tmp_path, PALETTE, full)
    assert (masks[1] == MOVING).all()


def test_two_labels_in_black_are_refused(tmp_path: Path) -> None:
    image = palette_image(BOX, {0: (0, 0, 0), 1: (0, 0, 0)})
    with pytest.raises(TruthError, match=r"0.png: its palette shows the labels 0, 1 in one black"):
        read(tmp_path, image)


def test_other_sizes_and_damage_are_refused_by_file(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=r"0.png: is 30x20, its video 60x40"):
        read(tmp_path, GREY.resize((30, 20)))
    with pytest.raises(TruthError, match=r"0.png: is 30x20, its video 60x40"):
        mask_files(tmp_path, [tmp_path / "0.png"], WIDTH, HEIGHT)
    with pytest.raises(TruthError, match=r"floating-point"):
        read(tmp_path, Image.fromarray(BOX.astype(np.float32)), suffix=".tiff")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_damaged_and_missing_masks_are_left_out_and_counted(tmp_path: Path, suffix: str) -> None:
    good, bad = tmp_path / f"good{suffix}", tmp_path / f"bad{suffix}"
    noise = np.random.default_rng(0).integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint8) * 255
    Image.fromarray(noise).save(good)
    bad.write_bytes(good.read_bytes()[:-100])
    (tmp_path / "none.png").write_bytes(b"no image")
    paths = [good, bad, None, tmp_path / "none.png"]
    masks, left_out = mask_files(tmp_path, paths, WIDTH, HEIGHT)
    assert [masks(at) is None for at in range(4)] == [False, True, True, True]
    assert [Path(one.subject).name for one in left_out[:2]] == [f"bad{suffix}", "none.png"]
    assert left_out[2].reason == "1 of 4 frames have no mask"


def test_an_image_that_goes_on_behind_its_end_is_whole(tmp_path: Path) -> None:
    GREY.save(tmp_path / "a.jpg", quality=95)
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(bytes(5000))
    masks, left_out = mask_files(tmp_path, [tmp_path / "a.jpg"], WIDTH, HEIGHT)
    assert left_out == ()
    np.testing.assert_array_equal(masks(0), TRUE)


def test_a_mask_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    turned = GREY.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    turned.save(tmp_path / "0.png", exif=exif)
    mask = MaskFiles("masks", (tmp_path / "0.png",), WIDTH, HEIGHT)(0)
    np.testing.assert_array_equal(mask, TRUE)
