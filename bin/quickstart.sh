#!/usr/bin/env bash
# From a fresh checkout to a running one-machine cluster with sample data: quickstart.sh [--dir DIR] [--no-sample]
#
# Every step looks at what is there already, so a second run only starts what does not run.
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir="$root/quickstart" sample=true
while [[ $# -gt 0 ]]; do
    case "$1" in
        --dir)
            need_value "$@"
            dir="$2"
            shift
            ;;
        --no-sample) sample=false ;;
        -h | --help)
            cat <<TEXT
usage: quickstart.sh [--dir DIR] [--no-sample]
Installs what the build needs, builds, starts a frontend and a backend under DIR (default: quickstart/ in the checkout) on the
default ports, and loads a small sample database. Run it again at any time. Stop the cluster with
  bin/stop_be.sh --home DIR/be; bin/stop_fe.sh --home DIR/fe
TEXT
            exit 0
            ;;
        *) die "unknown option '$1' (--help lists them)" ;;
    esac
    shift
done

step() {
    echo
    echo "== $*"
}

step "Checking this machine"
check_machine "$dir"
dir="$(cd "$dir" && pwd)"
fe_home="$dir/fe" be_home="$dir/be"
make_home() {
    local role="$1" home="$2"
    mkdir -p "$home/conf" "$home/log"
    [[ ! -f $home/conf/$role.conf ]] || return 0
    {
        cat "$root/conf/$role.conf"
        echo
        echo "#### This cluster lives on one machine"
        echo "priority_networks = 127.0.0.0/8"
        [[ $role != fe ]] || echo "default_replication_num = 1"
    } >"$home/conf/$role.conf"
}
make_home fe "$fe_home"
make_home be "$be_home"
fe_conf="$fe_home/conf/fe.conf" be_conf="$be_home/conf/be.conf"

check_port() {
    local port
    port="$(conf_value "$1" "$2" "$3")"
    ! port_in_use "$port" || die "port $port is in use: free it, or set another $2 in $1"
}
if ! running_pid "$fe_home" fe >/dev/null; then
    check_port "$fe_conf" query_port 9030
    check_port "$fe_conf" http_port 8030
    check_port "$fe_conf" rpc_port 9020
    check_port "$fe_conf" edit_log_port 9010
fi
if ! running_pid "$be_home" be >/dev/null; then
    check_port "$be_conf" be_port 9060
    check_port "$be_conf" heartbeat_service_port 9050
    check_port "$be_conf" brpc_port 8060
    check_port "$be_conf" be_http_port 8040
fi
find_cargo
install_packages "${build_packages[@]}" default-mysql-client

step "Building (the first time takes a while: 25 to 50 minutes on two cores)"
build_all

step "Starting the frontend and the backend"
running_pid "$fe_home" fe >/dev/null || "$root/bin/start_fe.sh" --home "$fe_home" --daemon
running_pid "$be_home" be >/dev/null || "$root/bin/start_be.sh" --home "$be_home" --daemon
query_port="$(conf_value "$fe_conf" query_port 9030)"
http_port="$(conf_value "$fe_conf" http_port 8030)"
wait_for "waiting for the frontend" 60 sql "$query_port" 'SELECT 1' ||
    die "the frontend does not answer on port $query_port (MYSQL_PWD holds root's password when it has one); see $fe_home/log"
register_backend "$query_port" 127.0.0.1 "$(conf_value "$be_conf" heartbeat_service_port 9050)"

# load TABLE: the rows of bin/sample/TABLE.csv, unless the table has rows.
load() {
    local answer status
    if [[ $(sql "$query_port" "SELECT count(*) FROM shop.$1") != 0 ]]; then
        echo "shop.$1 is loaded already"
        return 0
    fi
    answer="$(curl -sS --location-trusted -u "root:${MYSQL_PWD:-}" -T "$root/bin/sample/$1.csv" -H 'Expect: 100-continue' \
        -H 'column_separator:,' -H 'skip_header:1' "http://127.0.0.1:$http_port/api/shop/$1/_stream_load")" ||
        die "the stream load of $1 did not reach the cluster"
    status="$(sed -nE 's/.*"Status": *"([^"]*)".*/\1/p' <<<"$answer")"
    [[ $status == Success ]] || die "the stream load of $1 failed: $answer"
    echo "loaded shop.$1: $(sed -nE 's/.*"NumberLoadedRows": *([0-9]+).*/\1/p' <<<"$answer") rows"
}

if [[ $sample == true ]]; then
    step "Loading the sample database"
    sql "$query_port" "$(<"$root/bin/sample/schema.sql")"
    load customers
    load orders
fi

step "Ready"
cat <<TEXT
Connect:   mysql -h 127.0.0.1 -P $query_port -u root
Stop:      bin/stop_be.sh --home $be_home; bin/stop_fe.sh --home $fe_home
TEXT
[[ $sample == false ]] || {
    echo
    echo "Three queries to try:"
    echo
    cat "$root/bin/sample/queries.sql"
}
