"""Cost of single layers: operations, and numbers read and written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """Operations and numbers moved by some layers on some input.

    Attributes:
        flops: operations.
        activations: numbers that their inputs and results hold.
        parameters: numbers that their weights hold.
    """

    flops: int
    activations: int
    parameters: int

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.flops + other.flops,
            self.activations + other.activations,
            self.parameters + other.parameters,
        )

    def layers(self, count: int) -> "Work":
        """So many such layers, each with weights of its own."""
        return Work(count * self.flops, count * self.activations, count * self.parameters)

    def inputs(self, count: int) -> "Work":
        """The same layers on so many such inputs."""
        return Work(count * self.flops, count * self.activations, self.parameters)


def linear(tokens: int, inputs: int, outputs: int) -> Work:
    """A linear map of each token, or a convolution whose patches do not overlap."""
    return Work(
        flops=2 * tokens * inputs * outputs,
        activations=tokens * (inputs + outputs),
        parameters=(inputs + 1) * outputs,
    )


def convolution(
    pixels_in: int, pixels_out: int, inputs: int, outputs: int, bias: bool = True
) -> Work:
    """A 3x3 convolution."""
    return Work(
        flops=2 * 9 * pixels_out * inputs * outputs,
        activations=pixels_in * inputs + pixels_out * outputs,
        parameters=9 * inputs * outputs + outputs * bias,
    )


def spread(pixels: int, channels: int, factor: int) -> Work:
    """A transposed convolution that makes factor x factor pixels of one."""
    return Work(
        flops=2 * pixels * channels**2 * factor**2,
        activations=pixels * channels * (1 + factor**2),
        parameters=channels**2 * factor**2 + channels,
    )


def attention(tokens: int, channels: int) -> Work:
    """Fused attention of as many queries as keys; queries, keys, values and result move once."""
    return Work(flops=4 * tokens**2 * channels, activations=4 * tokens * channels, parameters=0)


def self_attention(tokens: int, channels: int) -> Work:
    """Attention with its projections."""
    return (
        linear(tokens, channels, 3 * channels)
        + attention(tokens, channels)
        + linear(tokens, channels, channels)
    )


def mlp(tokens: int, channels: int) -> Work:
    """Two linear layers with four times the width between them."""
    return linear(tokens, channels, 4 * channels) + linear(tokens, 4 * channels, channels)
