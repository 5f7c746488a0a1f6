"""Snapshots are kept by name, in revisions; a deleted one is still there as an earlier revision."""

from pathlib import Path

import pytest

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.snapshot_store import SnapshotError, delete, find, list_snapshots, save
from gnomon.recorder.snapshots import Signature, Snapshot


def snapshot(comment: str) -> Snapshot:
    return Snapshot(
        machine="small", digest="d", prefix="T:", lattice_id="", complete=False, source="test", comment=comment,
        signed=Signature(time_ns=1, user="op", host="console"), entries=(),
    )  # fmt: skip


def test_a_name_is_saved_once_replaced_on_request_and_found_after_it_was_deleted(tmp_path: Path) -> None:
    config = Config.model_validate({"store": {"path": str(tmp_path / "documents.sqlite")}})
    assert save(config, "flat", snapshot("first"), replace=False).revision == 1
    with pytest.raises(SnapshotError, match="already exists"):
        save(config, "flat", snapshot("second"), replace=False)
    assert save(config, "flat", snapshot("second"), replace=True).revision == 2
    assert [(kept.name, kept.snapshot.comment) for kept in list_snapshots(config)] == [("flat", "second")]
    assert find(config, "flat", 1).snapshot.comment == "first"
    delete(config, "flat")
    assert list_snapshots(config) == []
    with pytest.raises(SnapshotError, match="deleted; --revision 2"):
        find(config, "flat")
    assert find(config, "flat", 2).snapshot.comment == "second"
    for name in (" flat", ".", ".."):
        with pytest.raises(SnapshotError, match="invalid snapshot name"):
            save(config, name, snapshot(""), replace=False)
