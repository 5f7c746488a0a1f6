#!/usr/bin/env bash
# Build the image from this checkout and Debian's packages alone: mmdebstrap makes the base, buildah the rest.
# Needs: apt-get install mmdebstrap buildah. Where containers may not have cgroups of their own, as in another container, it uses chroot.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
image=${1:-localhost/gnomon}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mmdebstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/base.tar"
base=$(buildah from scratch)
buildah add "$base" "$work/base.tar" /
buildah commit --rm "$base" localhost/gnomon-base

mkdir "$work/wheel"
python3 -m pip wheel --no-deps --wheel-dir "$work/wheel" "$here/../.."
# The certificates of this computer, so that pip also works behind a proxy that has one of its own.
buildah build --isolation "${BUILDAH_ISOLATION:-chroot}" --volume /etc/ssl/certs:/etc/ssl/certs:ro \
  --build-arg BASE=localhost/gnomon-base --tag "$image" --file "$here/Containerfile" "$work/wheel"
