#!/usr/bin/env bash
# Builds the sdist, from it the wheel, installs the wheel alone in a clean environment and looks at what a user gets.
# Usage: check_wheel.sh [python with `build` installed]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${1:-$root/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step() { printf -- '--- %s\n' "$*"; }
fail() { printf 'check_wheel: %s\n' "$*" >&2; exit 1; }

step "building the sdist, and the wheel from it"
"$python" -m build --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; fail "the build failed"; }
wheel=$(echo "$work"/dist/gnomon-*.whl)
[ -f "$wheel" ] || fail "no wheel in $work/dist"

step "installing the wheel alone"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --prefer-binary "$wheel"

# From here on nothing of the checkout may be in reach: an empty folder, no PYTHONPATH.
mkdir "$work/empty"
cd "$work/empty"
unset PYTHONPATH

step "what the wheel adds to site-packages"
"$work/venv/bin/python" - <<'PY'
from importlib import metadata

files = [str(file) for file in metadata.files("gnomon") or []]
tops = {name.split("/")[0] for name in files if not name.startswith("..")}
expected = {"gnomon", f"gnomon-{metadata.version('gnomon')}.dist-info"}
assert tops == expected, f"top level holds {sorted(tops)}, expected {sorted(expected)}"
scripts = [name for name in files if name.startswith("..")]
assert [name.split("/")[-1] for name in scripts] == ["gnomon"], f"outside site-packages: {scripts}"
folders = {name.split("/")[1] for name in files if name.startswith("gnomon/") and name.count("/") > 1}
packages = {"cli", "clients", "db", "fault_injection", "ioc", "lattice", "procedures", "propagator", "recorder", "services", "testing"}
assert folders - {"__pycache__"} == packages, f"gnomon holds {sorted(folders)}, expected {sorted(packages)}"
for needed in ("gnomon/py.typed", "gnomon/ioc_config.yaml"):
    assert needed in files, f"{needed} does not ship"
stray = [name for name in files if name.endswith((".nbc", ".nbi", ".sqlite"))]
assert not stray, f"caches ship: {stray}"
PY

step "every module imports, the machines are there"
"$work/venv/bin/python" - <<'PY'
import importlib
import pkgutil
import sys
from importlib.resources import files

import gnomon

assert gnomon.__file__.startswith(sys.prefix), f"not the installed gnomon: {gnomon.__file__}"
#: Modules that need another package, beside which they stand: their commands name the extra, pytest loads its plugin.
OTHERS = {
    "gnomon.cli.watch.app": "textual",
    "gnomon.clients.bluesky_devices": "ophyd_async",
    "gnomon.clients.classic": "ophyd",
    "gnomon.procedures.plans": "bluesky",
    "gnomon.procedures.queueing": "bluesky bluesky_queueserver ophyd_async",
    "gnomon.services": "fastapi starlette",
    "gnomon.services.forward.mqtt_client": "aiomqtt",
    "gnomon.services.dashboard": "dash a2wsgi flask starlette",
    "gnomon.testing.plugin": "pytest",
}
for module in pkgutil.walk_packages(gnomon.__path__, "gnomon.", onerror=lambda name: None):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:  # what an extra brings is not there, and the module must say which
            if any(module.name.startswith(name) and error.name in other.split() for name, other in OTHERS.items()):
                continue
            assert "pip install 'gnomon[" in str(error), f"{module.name}: {error}"


def documents(folder):
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from documents(entry)
        elif entry.name.endswith(".json"):
            yield entry.name


shipped = set(documents(files("gnomon.db")))
for machine in ("bessy2", "mls"):
    assert any(name.startswith(machine) for name in shipped), f"no document of {machine} among {sorted(shipped)}"
PY

step "gnomon machine list"
listed=$("$work/venv/bin/gnomon" machine list)
for machine in bessy2 mls; do
  grep -q "$machine" <<<"$listed" || fail "gnomon machine list does not show $machine but: $listed"
done

step "scenarios ship, and are valid"
"$work/venv/bin/gnomon" fault check polarity_after_repair >/dev/null || fail "a shipped scenario is not valid"

step "gnomon watch without its extra"
said=$("$work/venv/bin/gnomon" watch 2>&1) && fail "gnomon watch runs without textual"
grep -qF "gnomon[watch]" <<<"$said" || fail "gnomon watch does not name its extra but says: $said"

step "gnomon services without its extra"
said=$("$work/venv/bin/gnomon" services 2>&1) && fail "gnomon services runs without fastapi"
grep -qF "gnomon[services]" <<<"$said" || fail "gnomon services does not name its extra but says: $said"

step "the pytest plugin, with nothing but pytest beside it"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --prefer-binary pytest
mkdir "$work/project"
cat >"$work/project/test_none.py" <<'PY'
import sys


def test_the_plugin_waits():
    assert "gnomon.testing.plugin" in sys.modules
    assert not {"numpy", "p4p", "caproto", "gnomon.lattice"} & set(sys.modules)
PY
(cd "$work/project" && "$work/venv/bin/python" -m pytest -q -p no:cacheprovider >"$work/none.log" 2>&1) ||
  { cat "$work/none.log" >&2; fail "pytest does not load the plugin, or it does not wait"; }
# That fixtures serve a ring is tested elsewhere; here the kernels would have to be compiled first.
fixtures=$("$work/venv/bin/python" -m pytest --fixtures -p no:cacheprovider "$work/project" 2>&1)
for fixture in ring machine journal truth; do
  grep -q "^$fixture -- .*gnomon/testing/plugin.py" <<<"$fixtures" || fail "the fixture $fixture is not there: $fixtures"
done

[ -z "$(ls -A)" ] || fail "gnomon machine list left files behind: $(ls -A)"

step "the wheel is good: $(basename "$wheel"), $(du -k "$wheel" | cut -f1) kB"
