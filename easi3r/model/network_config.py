"""The size of a network: everything that decides the names and shapes of its tensors."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from easi3r.errors import SettingsError


@dataclass(frozen=True)
class ModelConfig:
    """Size of a DUSt3R network (docs/method.md §1).

    Attributes:
        patch_size: side of a square patch, pixels.
        encoder_depth, encoder_channels, encoder_heads: blocks, token width, attention heads.
        decoder_depth, decoder_channels, decoder_heads: the same of each of the two decoders.
        head: what turns tokens into point maps.
        long_side_px: long side of the images the weights were trained at.
        rope_base: base of the rotary embedding's frequencies.
        dpt_hook_channels: widths of the four levels of a `dpt` head, finest first.
        dpt_channels: width of its fusion.

    Raises:
        SettingsError: a size that no network can have, with the value.
    """

    patch_size: int
    encoder_depth: int
    encoder_channels: int
    encoder_heads: int
    decoder_depth: int
    decoder_channels: int
    decoder_heads: int
    head: Literal["linear", "dpt"]
    long_side_px: int
    rope_base: float = 100.0
    dpt_hook_channels: tuple[int, int, int, int] = (96, 192, 384, 768)
    dpt_channels: int = 256

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            sizes = value if isinstance(value, tuple) else (value,)
            whole = name == "rope_base" or all(isinstance(size, int) for size in sizes)
            if name != "head" and not (whole and all(size > 0 for size in sizes)):
                raise SettingsError(f"model {name}", f"{value!r} is no size", "Give it above 0")
        if len(self.dpt_hook_channels) != 4:
            problem = f"{self.dpt_hook_channels} are not four widths"
            raise SettingsError("model dpt_hook_channels", problem, "Give four, finest level first")
        if self.head not in ("linear", "dpt"):
            raise SettingsError("model head", f"{self.head!r} is unknown", "Use linear or dpt")
        _check_heads("encoder", self.encoder_channels, self.encoder_heads)
        _check_heads("decoder", self.decoder_channels, self.decoder_heads)

    @classmethod
    def published(cls) -> "ModelConfig":
        """ViT-Large encoder, base decoders, DPT heads, 512 pixels: DUSt3R's and MonST3R's size."""
        return cls(
            patch_size=16,
            encoder_depth=24,
            encoder_channels=1024,
            encoder_heads=16,
            decoder_depth=12,
            decoder_channels=768,
            decoder_heads=12,
            head="dpt",
            long_side_px=512,
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """The config whose `to_json` gave `values`.

        Raises:
            SettingsError: a missing or unknown key, or a value out of range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError("model config", f"unknown keys {unknown}", f"Use {sorted(known)}")
        values = dict(values)
        if "dpt_hook_channels" in values:
            values["dpt_hook_channels"] = tuple(values["dpt_hook_channels"])
        try:
            return cls(**values)
        except TypeError as error:
            raise SettingsError("model config", str(error), "Give every size") from error

    def to_json(self) -> dict[str, Any]:
        """Plain values, as stored in a config file beside the weights."""
        return asdict(self) | {"dpt_hook_channels": list(self.dpt_hook_channels)}


def _check_heads(part: str, channels: int, heads: int) -> None:
    """A head splits its channels between row and column, and each half rotates in pairs."""
    if channels % (4 * heads):
        problem = f"{channels} channels do not split into {heads} heads of a multiple of 4"
        raise SettingsError(f"model {part}_heads", problem, "Change the heads or the channels")
