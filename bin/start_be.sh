#!/usr/bin/env bash
# Starts the backend of a home directory: start_be.sh [--daemon] [--home DIR] [--logconsole] [--numa NODE]
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_process be "$@"
