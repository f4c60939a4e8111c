#!/usr/bin/env bash
# Set-up and every test: test.sh [--no-e2e]. The last line is `N passed, N failed`; the exit code says whether any failed.
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

end_to_end=true
while [[ $# -gt 0 ]]; do
    case "$1" in
        --no-e2e) end_to_end=false ;;
        -h | --help)
            echo "usage: test.sh [--no-e2e]   (without the tests that start processes)"
            exit 0
            ;;
        *) die "unknown option '$1' (--help lists them)" ;;
    esac
    shift
done

cd "$root"
check_machine "$target_dir"
find_cargo
install_packages "${build_packages[@]}" default-mysql-client python3 python3-venv faketime

log="$target_dir/test.log"
mkdir -p "$target_dir"
result=0
# Tests of single crates run without optimization of our own crates: so they compile in a seventh of the time, and most of them run for
# seconds. What we depend on is built once, for these and for the programs. As the programs are built run those that compute a lot
# (simulated clusters) and those that ask how deep a statement may nest.
optimized=(tests_sim fe_analyzer fe_parser)
unoptimized=("${optimized[@]/#/--exclude=}")
for crate in $(cargo tree --workspace --depth 0 --prefix none | awk 'NF { print $1 }'); do
    unoptimized+=("--config=profile.release.package.$crate.opt-level=0")
done
# Every test runs, also when one fails: one run shows all failures.
cargo test --release --workspace --no-fail-fast "${unoptimized[@]}" 2>&1 | tee "$log" || result=1
build_all
cargo test --release --no-fail-fast -p tests "${optimized[@]/#/--package=}" 2>&1 | tee -a "$log" || result=1

if [[ $end_to_end == true ]]; then
    for setup in tests/*/setup.sh; do
        [[ -f $setup ]] || continue
        bash "$setup"
    done
    python="$target_dir/venv/bin/python"
    # Random histories are the same ones in every run of the suite; SEED and DURATION choose others.
    export SEED="${SEED:-20261121}"
    # Most of them wait for servers most of the time: one more runs at once than there are cores, each with servers and ports of its own.
    suites="$target_dir/suites"
    rm -rf "$suites"
    mkdir -p "$suites"
    # The longest begins first.
    longest=tests/python/test_conformance.py
    # shellcheck disable=SC2016
    printf '%s\n' "$longest" tests/python/test_*.py | awk '!seen[$0]++' | xargs -P "$(($(nproc) + 1))" -I {} bash -c '
        out="$1/$(basename "$2").log"
        "$3" "$2" >"$out" 2>&1
        result=$?
        cat "$out"
        exit $result
    ' _ "$suites" {} "$python" 2>&1 || result=1
    cat "$suites"/*.log >>"$log"
fi

# Cargo writes `test result: ok. 12 passed; 0 failed; …` for each test program, and so do ours.
awk '
    /^test result: / {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^failed/) failed += $(i - 1)
        }
    }
    # A test program that did not compile or died has no result line.
    /^error(\[|:)/ { broken++ }
    END {
        if (broken && !failed) failed = broken
        printf "%d passed, %d failed\n", passed, failed
    }' "$log"
exit "$result"
