#!/bin/sh
# The tour: counter.c to WebAssembly, to two executables, and across both ISAs while it runs.
#     demo.sh FOLDER_OF_PROGRAMS SCRATCH_FOLDER
set -eu

bin=$1
out=$2
here=$(dirname "$0")
mkdir -p "$out"
rm -f "$out"/*.snap

case $(uname -m) in
aarch64 | arm64) first=aarch64 second=x86_64 ;;
*) first=x86_64 second=aarch64 ;;
esac

say() { printf '\n== %s\n' "$*"; }

emulator=$(command -v "qemu-$second" || command -v "qemu-$second-static")

expect_status() {
    if [ "$1" != "$2" ]; then
        echo "exit status $1, expected $2"
        exit 1
    fi
}

say "examples/counter.c -> counter.wasm (zig cc; the C library for wasm32-wasi is built once: about a minute)"
zig=$("$bin/python" -c 'import ziglang; print(ziglang.__path__[0] + "/zig")')
"$zig" cc --target=wasm32-wasi -O2 -o "$out/counter.wasm" "$here/counter.c"

for isa in $first $second; do
    say "counter.wasm -> counter.$isa, a static native executable (its C library is built once: about a minute)"
    "$bin/mvvm-aot" compile "$out/counter.wasm" --target "$isa" -o "$out/counter.$isa"
done

say "Run counter.$first. At the fifth tick it asks for a checkpoint and ends."
status=0
env -i MVVM_SNAPSHOT="$out/first.snap" "$out/counter.$first" || status=$?
expect_status $status 75

say "The snapshot holds WebAssembly state, no machine state:"
"$bin/mvvm-aot" inspect "$out/first.snap" | sed -n '1,12p'

say "Go on as a native $second program; after two seconds, stop it from outside."
MVVM_RESTORE="$out/first.snap" "$emulator" "$out/counter.$second" &
pid=$!
sleep 2
"$bin/mvvm-aot" checkpoint "$pid" -o "$out/second.snap"
status=0
wait "$pid" || status=$?
expect_status $status 75

say "And back to $first."
MVVM_RESTORE="$out/second.snap" "$out/counter.$first"

say "0 to 9, once each, by one program that ran on two kinds of machine."
