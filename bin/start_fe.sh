#!/usr/bin/env bash
# Starts the frontend of a home directory: start_fe.sh [--daemon] [--home DIR] [--logconsole] [--helper HOST:EDIT_LOG_PORT] [--host_type IP|FQDN]
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_process fe "$@"
