"""Promises of every MachineStore. A test module subclasses StoreContract and gives it the `stores` fixture."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from patience import PATIENCE_S

from gnomon.db.store import NEW, ConflictError, MachineStore, NotFoundError, StoredDocument, StoreError

RING = {"name": "demo", "length_m": 240.0, "elements": [{"name": "Q1", "k1": 2.5}, {"name": "µ", "k1": -0.0}]}


class StoreContract:
    """`stores()` opens one more store on the same database, as another process would, if the database allows it."""

    @pytest.fixture
    def store(self, stores: Callable[[], MachineStore]) -> MachineStore:
        return stores()

    async def test_a_document_is_returned_as_it_was_put(self, store: MachineStore) -> None:
        put = await store.put("machine", "demo", RING, NEW)
        got = await store.get("machine", "demo")
        assert got.document == RING
        assert (got.kind, got.name, got.revision, got.digest, got.time_ns) == (
            put.kind,
            put.name,
            1,
            put.digest,
            put.time_ns,
        )

    async def test_keys_keep_their_order_and_do_not_count_for_the_digest(self, store: MachineStore) -> None:
        optics = {"optics": {"b": 1, "a": 2}}
        first = await store.put("machine", "demo", optics, NEW)
        assert list((await store.get("machine", "demo")).document["optics"]) == ["b", "a"]
        assert (await store.put("machine", "other", {"optics": {"a": 2, "b": 1}}, NEW)).digest == first.digest

    async def test_revisions_count_from_one_and_all_stay_readable(self, store: MachineStore) -> None:
        for revision in range(3):
            await store.put("machine", "demo", {"version": revision}, expected_revision=revision)
        assert [r.revision for r in await store.history("machine", "demo")] == [1, 2, 3]
        assert (await store.get("machine", "demo")).document == {"version": 2}
        assert (await store.get("machine", "demo", revision=1)).document == {"version": 0}

    @pytest.mark.parametrize("expected", [0, 1, 3, -1])
    async def test_put_on_anything_but_the_latest_revision_conflicts_and_changes_nothing(
        self, store: MachineStore, expected: int
    ) -> None:
        await store.put("machine", "demo", {"version": 1}, NEW)
        await store.put("machine", "demo", {"version": 2}, 1)
        with pytest.raises(ConflictError, match=r"machine 'demo' is at revision 2"):
            await store.put("machine", "demo", {"version": 9}, expected)
        assert (await store.get("machine", "demo")).document == {"version": 2}
        assert len(await store.history("machine", "demo")) == 2

    async def test_a_revision_of_a_document_that_does_not_exist_conflicts(self, store: MachineStore) -> None:
        with pytest.raises(ConflictError, match="does not exist"):
            await store.put("machine", "demo", RING, 1)

    async def test_of_many_writers_exactly_one_wins_each_revision(self, stores: Callable[[], MachineStore]) -> None:
        writers = [stores() for _ in range(4)]

        async def increment(store: MachineStore, times: int) -> int:
            lost = 0
            while times:
                seen = await store.get("counter", "n")
                try:
                    await store.put("counter", "n", {"value": seen.document["value"] + 1}, seen.revision)
                    times -= 1
                except ConflictError:
                    lost += 1
            return lost

        await writers[0].put("counter", "n", {"value": 0}, NEW)
        await asyncio.gather(*(increment(store, 10) for store in writers))
        last = await writers[0].get("counter", "n")
        assert (last.document, last.revision) == ({"value": 40}, 41)

    async def test_kinds_are_separate(self, store: MachineStore) -> None:
        await store.put("machine", "demo", {"is": "a machine"}, NEW)
        await store.put("templates", "demo", {"is": "templates"}, NEW)
        assert (await store.get("machine", "demo")).document == {"is": "a machine"}
        assert [r.name for r in await store.list("templates")] == ["demo"]

    async def test_list_gives_the_latest_revision_of_each_name_in_order(self, store: MachineStore) -> None:
        assert await store.list("machine") == ()
        for name, revisions in (("mls", 1), ("bessy2", 3)):
            for revision in range(revisions):
                await store.put("machine", name, {"name": name, "version": revision}, revision)
        listed = await store.list("machine")
        assert [(r.name, r.revision) for r in listed] == [("bessy2", 3), ("mls", 1)]
        assert listed[0].digest == (await store.get("machine", "bessy2")).digest

    async def test_missing_documents_are_named_with_what_exists(self, store: MachineStore) -> None:
        await store.put("machine", "mls", RING, NEW)
        with pytest.raises(NotFoundError, match="no machine 'demo'; it has mls"):
            await store.get("machine", "demo")
        with pytest.raises(NotFoundError, match="no revision 7 of machine 'mls'"):
            await store.get("machine", "mls", revision=7)
        with pytest.raises(NotFoundError, match="no templates 'mls'"):
            await store.history("templates", "mls")

    async def test_digest_depends_on_the_content_alone(self, store: MachineStore) -> None:
        first = await store.put("machine", "a", {"x": 1.5, "y": [1, 2]}, NEW)
        same = await store.put("machine", "b", {"y": [1, 2], "x": 1.5}, NEW)
        other = await store.put("machine", "c", {"y": [2, 1], "x": 1.5}, NEW)
        assert first.digest == same.digest != other.digest
        assert len(first.digest) == 64

    async def test_a_returned_document_is_a_copy(self, store: MachineStore) -> None:
        await store.put("machine", "demo", RING, NEW)
        (await store.get("machine", "demo")).document["elements"].clear()
        assert (await store.get("machine", "demo")).document == RING

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()], ids=["nan", "inf", "set", "obj"])
    async def test_a_document_that_json_cannot_hold_is_refused(self, store: MachineStore, value: object) -> None:
        with pytest.raises(StoreError, match="cannot be stored as JSON"):
            await store.put("machine", "demo", {"value": value}, NEW)
        assert await store.list("machine") == ()

    @pytest.mark.parametrize(("kind", "name"), [("", "demo"), ("machine", "")])
    async def test_kind_and_name_are_needed(self, store: MachineStore, kind: str, name: str) -> None:
        with pytest.raises(StoreError, match="needs a kind and a name"):
            await store.put(kind, name, RING, NEW)

    async def test_a_closed_store_says_so_and_closes_twice(self, store: MachineStore) -> None:
        await store.put("machine", "demo", RING, NEW)
        await store.close()
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await store.get("machine", "demo")

    async def test_kinds_and_all_revisions_are_listed_in_order(self, store: MachineStore) -> None:
        assert (await store.kinds(), await store.revisions("machine")) == ((), ())
        for kind, name, revisions in (("snapshot", "flat", 1), ("machine", "mls", 2), ("machine", "bessy2", 1)):
            for revision in range(revisions):
                await store.put(kind, name, {"version": revision}, revision)
        assert await store.kinds() == ("machine", "snapshot")
        listed = await store.revisions("machine")
        assert [(r.name, r.revision) for r in listed] == [("bessy2", 1), ("mls", 1), ("mls", 2)]
        assert listed[1:] == await store.history("machine", "mls")

    async def test_adopted_revisions_keep_number_digest_time_and_order_of_keys(self, store: MachineStore) -> None:
        documents = await _foreign(store, [{"b": 1, "a": 2}, {"b": 3, "a": 4}])
        await store.adopt([replace(each, name="copy") for each in documents])
        copied = await store.get("machine", "copy")
        assert (copied.revision, copied.digest, copied.time_ns) == (2, documents[1].digest, documents[1].time_ns)
        assert list(copied.document) == ["b", "a"]
        assert (await store.put("machine", "copy", RING, 2)).revision == 3

    async def test_a_revision_that_is_there_already_is_adopted_once(self, store: MachineStore) -> None:
        first, second = await _foreign(store, [{"version": 1}, {"version": 2}])
        await store.adopt([first])
        await store.adopt([first, second])
        await store.adopt([])
        assert [r.revision for r in await store.history("machine", "demo")] == [1, 2]

    async def test_revisions_that_do_not_fit_are_not_adopted(self, store: MachineStore) -> None:
        first, second = await _foreign(store, [{"version": 1}, {"version": 2}])
        other = replace(first, name="other")
        await store.adopt([other])
        for wrong, reason in (
            (replace(second, name="gap"), "revision 2 of machine 'gap' does not follow revision 0"),
            (replace(second, name="other", revision=1), "revision 1 of machine 'other' is there with other content"),
            (replace(second, name="other", revision=4), "revision 4 of machine 'other' does not follow revision 1"),
        ):
            with pytest.raises(ConflictError, match=reason):
                await store.adopt([wrong])
        assert [r.name for r in await store.list("machine")] == ["demo", "other"]
        assert [r.revision for r in await store.history("machine", "other")] == [1]

    async def test_json_that_databases_have_trouble_with_is_kept(self, store: MachineStore) -> None:
        hard = {
            "$set": 1,
            "a.b": {"": None},
            "large": 2**70,
            "deep": [[[{"x": True}]]],
            "text": "nul \0",
            "n": [1, 1.0],
        }
        await store.put("machine", "hard", hard, NEW)
        assert repr((await store.get("machine", "hard")).document) == repr(hard)

    async def test_revisions_are_read_together_in_the_order_asked_for(self, store: MachineStore) -> None:
        asked = [await store.put("machine", "demo", {"version": revision}, revision) for revision in range(3)]
        asked.append(await store.put("result", "demo", {"x": 1.5}, NEW))
        asked.append(await store.put("machine", "other", RING, NEW))
        wanted = [asked[number] for number in (4, 2, 3, 0)]
        found = await store.read(wanted)
        assert [each.document for each in found if isinstance(each, StoredDocument)] == [
            RING, {"version": 2}, {"x": 1.5}, {"version": 0},
        ]  # fmt: skip
        assert await store.read(()) == []
        with pytest.raises(NotFoundError, match="7"):
            await store.read([asked[0], replace(asked[0], revision=7)])

    async def test_waiting_for_a_change_ends(self, stores: Callable[[], MachineStore]) -> None:
        watching, writing = stores(), stores()
        await watching.put("machine", "demo", RING, NEW)
        waiting = asyncio.create_task(watching.wait_for_change("machine", "demo", 0.3))
        await asyncio.sleep(0.05)
        await writing.put("machine", "demo", {"version": 2}, 1)
        await asyncio.wait_for(waiting, PATIENCE_S)
        assert [r.revision for r in await watching.list("machine")] == [2]


async def _foreign(store: MachineStore, versions: list[dict[str, int]]) -> list[StoredDocument]:
    """Revisions of a document, as a store gives them."""
    for revision, document in enumerate(versions):
        await store.put("machine", "demo", document, revision)
    return [await store.get("machine", "demo", revision + 1) for revision in range(len(versions))]
