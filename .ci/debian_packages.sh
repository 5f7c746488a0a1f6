#!/usr/bin/env bash
# Install what the tests need of Debian and is not there: redis, mosquitto, Chromium with a font, Java. Where all is there, it takes no time.
set -euo pipefail

missing=()
# needs PACKAGE TEST...: a program that came another way (a runner's own Java, say) is as good as the package's.
needs() { "${@:2}" >/dev/null 2>&1 || missing+=("$1"); }
any_command() { for name in "$@"; do command -v "$name" && return 0; done; return 1; }

needs redis-server any_command redis-server
needs mosquitto any_command mosquitto
needs chromium any_command chromium chromium-browser google-chrome
needs default-jre-headless any_command java
needs fonts-dejavu-core test -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf

[ ${#missing[@]} -gt 0 ] || { echo "gnomon: Debian's packages for the tests are there"; exit 0; }

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null && sudo -n true 2>/dev/null || {
    echo "gnomon: the tests need ${missing[*]}, and this user may not install packages: sudo apt-get install ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo -n)
fi
command -v apt-get >/dev/null || {
  echo "gnomon: the tests need ${missing[*]} (Debian's names), and there is no apt-get here: install them another way" >&2
  exit 1
}
echo "gnomon: installing ${missing[*]} ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
install >"$log" 2>&1 || { cat "$log" >&2; echo "gnomon: ${missing[*]} could not be installed; the lines above say why" >&2; exit 1; }
echo "gnomon: installed ${missing[*]} ($SECONDS s)"
