#!/usr/bin/env bash
# Stops the frontend of a home directory: stop_fe.sh [--home DIR] [-g|--graceful] [--timeout SECONDS]
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

stop_process fe "$@"
