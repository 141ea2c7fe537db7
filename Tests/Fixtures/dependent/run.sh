#!/usr/bin/env bash
# Builds a package that depends on this one by a version, as a stranger's would, and generates text
# with it. The tree is taken as it is, committed or not; nothing outside a temporary folder changes.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

clone=$work/moe-runtime
git clone --quiet --no-hardlinks "$root" "$clone"
# Changes that are not committed yet, deleted files included.
git -C "$root" ls-files --cached --others --exclude-standard -z |
  while IFS= read -r -d '' file; do
    if [ -e "$root/$file" ]; then printf '%s\0' "$file"; fi
  done >"$work/files"
git -C "$clone" rm -r --quiet --cached .
find "$clone" -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
tar -C "$root" --null --files-from "$work/files" -cf - | tar -C "$clone" -xf -
git -C "$clone" add --all
git -C "$clone" -c user.name=test -c user.email=test@localhost commit --quiet --allow-empty -m "As it is"
git -C "$clone" tag --force 1.0.0 >/dev/null

package=$work/dependent
mkdir -p "$package/Sources/dependent"
sed "s|@URL@|file://$clone|" "$here/Package.swift.template" >"$package/Package.swift"
cp "$here/main.swift.template" "$package/Sources/dependent/main.swift"
cp "$root/Tests/MoERuntimeTests/Examples/GettingStartedExample.swift" "$package/Sources/dependent/"

cd "$package"
# Without optimisation, which would take twice as long and tell no more.
swift build
answer=$(swift run --skip-build dependent "$root/Models/nano-moe/model-q8_0.gguf" 200M)
printf '%s\n' "$answer"
case $answer in
  *"tokens/s, peak "*"A package that depends on this one works."*) ;;
  *)
    echo "the dependent package did not generate text" >&2
    exit 1
    ;;
esac
