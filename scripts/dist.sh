#!/usr/bin/env bash
# Packs what an operator installs, and the Python package: COUNTERFOIL=path MATURIN=path scripts/dist.sh FOLDER (`make dist`).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
binary=$(realpath "${COUNTERFOIL:?the path of the counterfoil binary}")
version=$("$binary" --version | cut -d' ' -f2)
name=counterfoil-$version-$(uname -m)-linux
out=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
into=$work/$name
mkdir -p "$into"/{man,completions,docs}
install -m 755 "$binary" "$into/counterfoil"
"$binary" man "$into/man" >/dev/null
for shell in bash zsh fish; do
  "$binary" completions "$shell" >"$into/completions/counterfoil.$shell"
done
cp "$root"/packaging/* "$root"/{LICENSE,README.md,CHANGELOG.md,SECURITY.md} "$into"
install -m 755 "$root/interop/verify_bundle.py" "$into"
cp -r "$root"/docs/{guides,formats,threat-model.md} "$into/docs"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" -czf "$out/$name.tar.gz" "$name"
"${MATURIN:?the path of maturin}" build --quiet --release --locked --strip --manifest-path "$root/python/Cargo.toml" --out "$out"
(cd "$out" && sha256sum ./*.tar.gz ./*.whl | tee SHA256SUMS)
