#!/usr/bin/env bash
# Compares the NEON kernels with the AVX2 ones, bit for bit, on a processor with AVX2: the former run
# in an emulator. Leaves nothing behind but a digest of every case where KEEP names a folder.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
sources=$(cd "$here/../../.." && pwd)/Sources
kernels=$sources/CMoEKernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$(uname -m)" != x86_64 ] || ! grep -q -w avx2 /proc/cpuinfo; then
  echo "This compares with the AVX2 kernels: run it on an x86-64 machine with AVX2." >&2
  exit 1
fi

# Swift's own compiler, as the package is built with; no flag that the package lacks.
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
build() {
  local program=$1
  shift
  "$clang" "$@" -O2 -std=gnu17 -pthread -I "$sources/CMoEKernelsInterface/include" -o "$work/$program" \
    "$here"/*.c "$kernels"/*.c "$kernels"/*/*.c -lm
}
build check-x86
build check-arm --target=aarch64-linux-gnu -fuse-ld=lld -static

failed=0
digests() {
  local name=$1
  shift
  "$@" >"$work/$name" || failed=1
}
digests avx2 "$work/check-x86" avx2
digests scalar "$work/check-x86" scalar
emulate() {
  local name=$1
  shift
  qemu-aarch64 -cpu "$@" >"$work/$name" &
  emulated+=($!)
}
# What is compared with the scalar level here is compared with these levels' bits afterwards.
emulated=()
emulate scalar-arm max "$work/check-arm" scalar
emulate neon-dotprod max "$work/check-arm" neon digests
emulate neon-plain cortex-a53 "$work/check-arm" neon digests
for process in "${emulated[@]}"; do wait "$process" || failed=1; done

compare() {
  if ! diff "$work/$1" "$work/$2" >"$work/difference"; then
    head -n 20 "$work/difference" >&2
    echo "$2 differs from $1 in $(grep -c '^[<>]' "$work/difference") lines." >&2
    failed=1
  fi
}
compare scalar scalar-arm
compare avx2 neon-dotprod
compare avx2 neon-plain
if [ -n "${KEEP:-}" ]; then cp "$work"/{avx2,scalar,scalar-arm,neon-dotprod,neon-plain} "$KEEP"; fi
if [ "$failed" -ne 0 ]; then exit 1; fi
echo "NEON has AVX2's bits in $(wc -l <"$work/avx2") cases, with SDOT and without."
