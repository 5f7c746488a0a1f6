"""Results to tiled: each once, tried again while the catalogue is away, and one that is there already is done."""

from pathlib import Path

import pytest

from gnomon.procedures.errors import ProcedureError
from gnomon.services.forward import tiled_downstream
from gnomon.services.forward.downstream import DeliveryError, Parcel
from gnomon.services.forward.forward_messages import of_result
from gnomon.services.forward.tiled_downstream import TiledDownstream
from unit.services.dashboard.sample_runs import tune_response_run

CASES = [("", True), ("it is in the catalogue already", True), ("refused", False)]


@pytest.mark.parametrize(("error", "delivered"), CASES)
async def test_a_run_counts_as_delivered_when_the_catalogue_has_it(
    monkeypatch: pytest.MonkeyPatch, error: str, delivered: bool
) -> None:
    published: list[tuple[Path, str]] = []

    def publish(path: Path, uri: str) -> None:
        published.append((path, uri))
        if error:
            raise ProcedureError(error)

    monkeypatch.setattr(tiled_downstream, "publish_run", publish)
    parcel = Parcel("results", of_result(tune_response_run(), "ab" * 32), path=Path("run.h5"))
    downstream = TiledDownstream("http://127.0.0.1:9/api/v1")
    assert downstream.kinds == {"results"}
    async with downstream.session("TWIN:", "j") as session:
        if delivered:
            await session.deliver([parcel])
        else:
            with pytest.raises(DeliveryError, match="refused"):
                await session.deliver([parcel])
    assert published == [(Path("run.h5"), "http://127.0.0.1:9/api/v1")]
