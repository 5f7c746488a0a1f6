"""Named recordings over HTTP and on a page: listed, reviewed, exported; nothing is changed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gnomon.ioc.base.config import Config
from gnomon.recorder.recordings import RecordingFile, RecordingFolder, own_key, review_pages
from gnomon.services import reviewed_recordings
from gnomon.services.reviewed_recordings import recording_lines, review_of
from unit.recorder.conftest import bessy2
from unit.recorder.recordings.fake_optics import FakePropagator
from unit.recorder.recordings.samples import make_recording
from unit.recorder.records import MORNING
from unit.services.conftest import READ, client_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingFolder:
    monkeypatch.setenv("GNOMON_RECORDINGS", str(tmp_path / "recordings"))
    monkeypatch.setattr(reviewed_recordings, "Propagator", FakePropagator)
    monkeypatch.setattr(review_pages, "picture", lambda found, name: b"<svg/>")
    kept = RecordingFolder(tmp_path / "recordings")
    bump = make_recording(bessy2(), *[("HS4P1D1R", "current", value) for value in (0.5, 6.0)])
    kept.add(RecordingFile(recording=bump))
    kept.approve(own_key(tmp_path / "review.key")[0].approve(bump, "bob@console2", MORNING))
    later = make_recording(
        bessy2(), ("HS4P1D1R", "current", 0.1), name="later", made="2026-11-27T10:00:00Z", purpose="<b>bold</b>"
    )
    kept.add(RecordingFile(recording=later))
    return kept


@pytest.fixture
async def rest(folder: RecordingFolder, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(tmp_path, READ) as opened:
        yield opened


async def test_recordings_are_listed_with_their_approvals(rest: httpx.AsyncClient) -> None:
    listed = (await rest.get("/v1/reviews")).json()
    assert ([each["name"] for each in listed["recordings"]], listed["total"]) == (["later", "bump"], 2)
    (approval,) = listed["recordings"][1]["approvals"]
    assert (approval["reviewer"], approval["trouble"], len(approval["key"])) == ("bob@console2", "", 16)
    page = (await rest.get("/v1/reviews", params={"first": 1, "count": 1})).json()
    assert [each["name"] for each in page["recordings"]] == ["bump"]


async def test_a_review_has_predictions_marks_and_approvals(rest: httpx.AsyncClient) -> None:
    found = (await rest.get("/v1/reviews/bump")).json()
    assert [step["to"] for step in found["steps"]] == [0.5, 6.0]
    assert found["steps"][0]["change"]["orbit_max_mm"] == pytest.approx([0.005, 0.0])
    assert found["steps"][1]["after"]["tune"] == [None, None], "no beam"
    assert found["marks"][0]["code"] == "no_beam"
    assert found["approvals"][0]["reviewer"] == "bob@console2"


async def test_a_recording_comes_as_it_is_exported(rest: httpx.AsyncClient, folder: RecordingFolder) -> None:
    found = (await rest.get(f"/v1/reviews/{folder.find('bump').recording.id}/recording")).json()
    assert RecordingFile.model_validate(found) == folder.find("bump")


async def test_a_review_comes_as_a_page(rest: httpx.AsyncClient) -> None:
    page = await rest.get("/v1/reviews/later/page")
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;bold&lt;/b&gt;" in page.text


async def test_an_unknown_recording_is_not_found(rest: httpx.AsyncClient) -> None:
    for place in ("", "/recording", "/page"):
        missing = await rest.get(f"/v1/reviews/bumb{place}")
        assert (missing.status_code, missing.json()["action"]) == (404, "GET /v1/reviews lists all")


async def test_a_changed_recording_is_refused(rest: httpx.AsyncClient, folder: RecordingFolder) -> None:
    path = folder.path / f"bump.{folder.find('bump').recording.id[:12]}.json"
    path.write_text(path.read_text().replace("6.0", "5.0"))
    refused = await rest.get("/v1/reviews/bump")
    assert (refused.status_code, "it has been changed" in refused.json()["detail"]) == (409, True)


async def test_a_long_recording_is_left_to_the_command_line(
    rest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewed_recordings, "MAX_STEPS", 1)
    refused = await rest.get("/v1/reviews/bump")
    assert (refused.status_code, refused.json()["action"]) == (422, "review it with `gnomon review bump`")


def texts(component: Any) -> str:
    return str(component)


def test_the_page_of_the_dashboard_shows_list_and_review(
    folder: RecordingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dash", reason="dash is not installed")
    from gnomon.services.dashboard.pages import recordings_page

    monkeypatch.setattr(recordings_page, "picture", lambda found, name: b"<svg/>")
    listed = texts(recordings_page.recording_table(recording_lines(Config())))
    assert "show=bump" in listed
    assert "bob@console2" in listed
    shown = texts(recordings_page.review_view(review_of(Config(), "bump")))
    assert shown.count("data:image/svg+xml;base64,") == 4
    assert "HS4M1D1R.kick" in shown
    assert "the model has no beam after step 2" in shown
    assert "gnomon record start" in texts(recordings_page.recording_table([]))
