#!/usr/bin/env bash
# Stops the backend of a home directory, at once or (-g) after it has finished its work: stop_be.sh [--home DIR] [-g|--graceful] [--timeout SECONDS]
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

stop_process be "$@"
