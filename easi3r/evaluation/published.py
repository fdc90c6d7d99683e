"""Published values of other methods, each with its source; shown beside ours where there are any.

`published.json` holds none until somebody has checked them against the publication.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from easi3r.errors import TruthError

PUBLISHED = Path(__file__).with_name("published.json")


class PublishedValue(BaseModel):
    """The mean of a figure over a data set, as somebody published it.

    Attributes:
        dataset: as `easi3r evaluate` calls it.
        protocol: under which our value compares with it.
        method: its name in tables.
        figure: key of a figure (`easi3r.evaluation.sequence_tables`).
        source: where it can be looked up: publication, table, row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    protocol: Literal["paper", "annotate"] = "paper"
    method: Annotated[str, Field(min_length=1)]
    figure: str
    value: float
    source: Annotated[str, Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    values: tuple[PublishedValue, ...]


def published_values(
    dataset: str, protocol: str, path: Path = PUBLISHED
) -> tuple[PublishedValue, ...]:
    """The values of a data set under a protocol, in the order of the file.

    Raises:
        TruthError: the file cannot be read, or a value of it lacks something.
    """
    try:
        file = _File.model_validate_json(path.read_text())
    except (OSError, ValidationError) as error:
        remedy = "Give every value dataset, method, figure, value and source"
        raise TruthError(str(path), f"cannot be read ({error})", remedy) from error
    return tuple(one for one in file.values if (one.dataset, one.protocol) == (dataset, protocol))
