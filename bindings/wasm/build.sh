#!/usr/bin/env bash
# Builds the WebAssembly engine into bindings/js/engine: hookproof_bg.wasm, and its glue as wasm-bindgen writes it.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=bindings/js/engine
target=${CARGO_TARGET_DIR:-$PWD/target/wasm}
work=$target/bindgen

# Small everywhere but where the time goes: SHA-256 with SIMD runs at four times the speed of the small one.
export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+simd128,+bulk-memory,+sign-ext,+nontrapping-fptoint,+mutable-globals"
make/wasm cargo build --quiet --profile wasm -p hookproof-wasm
rm -rf "$work"
make/wasm bindgen --target no-modules --no-typescript --omit-default-module-path \
  --remove-name-section --remove-producers-section \
  --out-dir "$work" --out-name hookproof "$target/wasm32-unknown-unknown/wasm/hookproof_wasm.wasm"
# A function of one caller stays one if it is large: a host compiles a function when it first runs, with everything in it.
# Nothing stands in the lowest KiB but the end of the stack.
node node_modules/.bin/wasm-opt -Oz --converge --one-caller-inline-max-function-size 100 --low-memory-unused \
  --enable-simd --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals \
  --enable-reference-types --enable-multivalue --strip-debug --strip-producers --strip-target-features \
  "$work/hookproof_bg.wasm" -o "$work/hookproof_opt.wasm"
mkdir -p "$out"
cp "$work/hookproof_opt.wasm" "$out/hookproof_bg.wasm"
cp "$work/hookproof.js" "$out/glue.no-modules.js"
printf '%s: %s bytes, %s compressed\n' "$out/hookproof_bg.wasm" "$(wc -c <"$out/hookproof_bg.wasm")" "$(gzip -9 -c "$out/hookproof_bg.wasm" | wc -c)"
