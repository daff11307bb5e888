#!/usr/bin/env bash
# Makes a Python environment with the package of this checkout in it: scripts/pyenv.sh FOLDER REQUIREMENTS… (files). Prints nothing
# but trouble. An environment that has all this already is left as it is. The package's native part comes by `make python`.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
shift
python=${BASE_PYTHON:-python3}
wanted=$(cat "$@" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$folder/.ready" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check uv
  files=()
  for file in "$@"; do files+=(-r "$file"); done
  overrides=$(dirname "$1")/overrides.txt
  [ ! -e "$overrides" ] || files+=(--override "$overrides")
  "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" "${files[@]}"
  echo "$wanted" >"$folder/.ready"
fi
# Where a wheel would be: the package's folder on the path, its name, and its entry points, which Airflow looks for.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
for packages in "$folder"/lib/python3*/site-packages; do
  echo "$root/python" >"$packages/counterfoil.pth"
  about=$packages/counterfoil-$version.dist-info
  mkdir -p "$about"
  printf 'Metadata-Version: 2.1\nName: counterfoil\nVersion: %s\n' "$version" >"$about/METADATA"
  sed -nE '/^\[project\.entry-points/,/^$/ { s/^\[project\.entry-points\."?([^]"]*)"?\]/[\1]/; s/ = "(.*)"$/ = \1/; p }' \
    "$root/python/pyproject.toml" >"$about/entry_points.txt"
done
