#!/usr/bin/env bash
# Installs with apt what a bare Debian or Ubuntu lacks for mv3d: the shared libraries that the wheels of Open3D and
# OpenCV load, the software renderer for machines without a display, and Python's venv module.
# Usage: scripts/install_system_libraries.sh PYTHON [PACKAGE ...]. Packages are wanted besides: what tests read. Does
# nothing when all is there; never fails the build for want of apt or of rights: it says what is missing and goes on.
set -euo pipefail
python="${1:-python3}"
besides=("${@:2}")

# shared library, package that brings it
libraries="
libEGL.so.1        libegl1
libEGL_mesa.so.0   libegl-mesa0
libGL.so.1         libgl1
libX11.so.6        libx11-6
libXext.so.6       libxext6
libSM.so.6         libsm6
libICE.so.6        libice6
libgthread-2.0.so.0 libglib2.0-0
libusb-1.0.so.0    libusb-1.0-0
libgomp.so.1       libgomp1
libudev.so.1       libudev1
"

[ "$(uname -s)" = Linux ] || exit 0
PATH="$PATH:/sbin:/usr/sbin"
known="$(ldconfig -p 2>/dev/null || true)"
missing=()
while read -r library package; do
    [ -z "$library" ] || grep -qF "$library " <<<"$known" || missing+=("$package")
done <<<"$libraries"
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=("python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")
fi
for package in "${besides[@]}"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo); fi
if ! command -v apt-get >/dev/null; then
    echo "mv3d: no apt-get here; please install what these Debian packages hold: ${missing[*]}" >&2
    exit 0
fi
if [ ${#root[@]} -gt 0 ] && ! command -v sudo >/dev/null; then
    echo "mv3d: neither root nor sudo; please ask for these packages: ${missing[*]}" >&2
    exit 0
fi
echo "mv3d: installing ${missing[*]}"
if ! { "${root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }; then
    echo "mv3d: apt-get failed; please install by hand: ${missing[*]}" >&2
fi
