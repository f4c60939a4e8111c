#!/usr/bin/env bash
# What the end-to-end tests need beside the servers: clients of the MySQL protocol. All of it lands in target/.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=bin/lib.sh
source "$here/../../bin/lib.sh"

install_packages default-mysql-client curl python3 python3-venv python3-dev default-libmysqlclient-dev pkg-config nodejs npm \
    default-jdk-headless libmariadb-java

venv="$target_dir/venv"
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

node="$target_dir/node"
if ! cmp -s "$here/../clients/node/package.json" "$node/installed.json"; then
    mkdir -p "$node"
    cp "$here/../clients/node/package.json" "$node/package.json"
    (cd "$node" && npm install --silent --no-audit --no-fund)
    cp "$node/package.json" "$node/installed.json"
fi
