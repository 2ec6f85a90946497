#!/bin/sh
# Measures an x86-64 machine of any number of cores, in some three minutes: shares of the arithmetic's peak, epochs of MNIST with its
# zeros and without, and threads. Prints one JSON object a line, or a line that names what failed.
#
#     RUSTFLAGS="-C target-cpu=x86-64-v4" cargo build --release -p picomlp-benches --bin machine --bin products --bin peer_row
#     benches/x86.sh PROGRAMS MNIST [TURNS]
#
# PROGRAMS is the folder of those three programs (target/release), MNIST that of the four IDX files; TURNS (2) is how often
# everything runs, in turn, so that one state of the machine doesn't decide. Built with AVX-512 (x86-64-v4), with AVX2 (x86-64-v3) or
# without flags; the lines say which. If python3 finds JAX, it takes its turns on the same cores. Nothing is built or fetched: the
# script, the programs and MNIST are all that another machine needs.
set -u
programs=$1 mnist=$2 turns=${3:-2}
peers=$(dirname "$0")/peers/peers.py
cores=$(nproc)
say() { printf '%s\n' "$*"; }

# Runs a program on the first N cores.
on() {
    n=$1
    shift
    if command -v taskset >/dev/null; then
        taskset -c "0-$((n - 1))" "$@" || say "{\"failed\": \"$*\"}"
    else
        "$@" || say "{\"failed\": \"$*\"}"
    fi
}

# N cores, widths, batch, and flags.
train() {
    n=$1 hidden=$2 batch=$3 optimizer=$4
    shift 4
    on "$n" "$programs/peer_row" --data "$mnist" "$@" train --threads "$n" --hidden "$hidden" --batch "$batch" \
        --optimizer "$optimizer" --epochs 2
}

on 1 "$programs/machine"
on 1 "$programs/products" --seconds 0.5
has_jax=$(python3 -c 'import jax, numpy' 2>/dev/null && say yes)
for _ in $(seq "$turns"); do
    for zeros in "" --no-zeros; do
        train 1 128 64 sgd $zeros
        train 1 1024 64 sgd $zeros
        [ -z "$has_jax" ] || for hidden in 128 1024; do
            say "{\"job\":\"train\",\"hidden\":$hidden,\"optimizer\":\"sgd\",\"epochs\":2,\"no_zeros\":$([ -z "$zeros" ] && say false || say true)}"
        done | on 1 python3 "$peers" jax --data "$mnist"
    done
    train 1 128 64 adam
    for n in 1 2 4 8 16; do
        [ "$n" -le "$cores" ] || continue
        [ "$n" -eq 1 ] || train "$n" 128 64 sgd
        [ "$n" -eq 1 ] || train "$n" 1024 64 sgd
        train "$n" 1024,512 128 sgd
        train "$n" 2048 64 sgd
    done
done
