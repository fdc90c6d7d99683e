"""What SeaweedFS does that other S3 servers do not: an emptied folder stays in its listings."""

from pathlib import Path

import s3fs

from easi3r.store.files import Files
from tests.servers import s3_environment, seaweed_server


def test_an_emptied_folder_is_as_good_as_none(tmp_path: Path) -> None:
    with seaweed_server(tmp_path) as server:
        server.make_bucket("listings")
        keys = s3_environment(server.endpoint)
        fs = s3fs.S3FileSystem(
            endpoint_url=server.endpoint,
            key=keys["AWS_ACCESS_KEY_ID"],
            secret=keys["AWS_SECRET_ACCESS_KEY"],
            use_listings_cache=False,
        )
        files = Files("s3://listings/x.zarr", fs, "listings/x.zarr")
        assert files.age_seconds(".probe") is None
        files.put(".probe/one", b"1")
        assert files.age_seconds(".probe") is not None
        assert files.names(".probe") == ["one"]
        files.delete(".probe/one")
        assert files.names(".probe") == []
        assert files.age_seconds(".probe") is None
