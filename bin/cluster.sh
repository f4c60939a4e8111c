#!/usr/bin/env bash
# A cluster of real processes on this machine, each with a home of its own: cluster.sh up|down|status --dir DIR ...
#
# Frontend i (from 1) lives in DIR/fe<i>, backend i in DIR/be<i>. DIR/cluster.json names the processes and their ports.
# `up` on a directory that holds a cluster starts what does not run and adds backends that are asked for.
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

host=127.0.0.1

usage() {
    cat <<TEXT
usage: cluster.sh up --dir DIR [--fe N] [--be M] [--disks D] [--port-base P]
                                        starts N frontends (1, a group of followers) and M backends (1), each on D directories (1)
       cluster.sh down --dir DIR        stops them; the data stays
       cluster.sh status --dir DIR      shows them; fails when one does not run
Ports: frontend i takes P+10(i-1) to +3 (query, http, rpc, edit log), backend i P+100+10(i-1) to +3 (be, heartbeat, brpc,
webserver). P is 19030 when not given.
TEXT
}

command="${1:-}"
[[ $# -eq 0 ]] || shift
dir="" fe_count=1 be_count=1 disk_count=1 port_base=""
while [[ $# -gt 0 ]]; do
    case "$1" in
        --dir | --fe | --be | --disks | --port-base)
            need_value "$@"
            [[ $1 == --dir || $2 =~ ^[0-9]+$ ]] || die "$1 needs a number, not '$2'"
            case "$1" in
                --dir) dir="$2" ;;
                --fe) fe_count="$2" ;;
                --be) be_count="$2" ;;
                --disks) disk_count="$2" ;;
                --port-base) port_base="$2" ;;
            esac
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) die "unknown option '$1' (--help lists them)" ;;
    esac
    shift
done

# Homes in start order: frontends, then backends.
homes() {
    local role home
    for role in fe be; do
        for home in "$dir/$role"[1-9]*; do
            if [[ -f $home/conf/$role.conf ]]; then
                echo "$role $home"
            fi
        done | sort -V
    done
}

# "name:key:default" of each port, in the order of cluster.json.
ports_of() {
    if [[ $1 == fe ]]; then
        echo query:query_port:9030 http:http_port:8030 rpc:rpc_port:9020 edit_log:edit_log_port:9010
    else
        echo be:be_port:9060 heartbeat:heartbeat_service_port:9050 brpc:brpc_port:8060 webserver:be_http_port:8040
    fi
}

port_of() {
    local spec name key default
    for spec in $(ports_of "$1"); do
        IFS=: read -r name key default <<<"$spec"
        if [[ $name == "$3" ]]; then
            conf_value "$2/conf/$1.conf" "$key" "$default"
        fi
    done
}

# Writes the conf file of a new home: our ports and directories over the shipped file.
make_home() {
    local role="$1" home="$2" port="$3" spec key
    mkdir -p "$home/conf" "$home/log"
    {
        echo "# Written by cluster.sh; every key is described in the shipped conf/$role.conf."
        echo "priority_networks = 127.0.0.0/8"
        for spec in $(ports_of "$role"); do
            key="${spec#*:}"
            echo "${key%:*} = $port"
            port=$((port + 1))
        done
        echo "sys_log_dir = $home/log"
        if [[ $role == fe ]]; then
            echo "meta_dir = $home/meta"
            echo "heartbeat_interval_second = 1"
            # No balancer is in front that would have to find out that a frontend stops.
            echo "min_graceful_exit_time_second = 1"
            # As many copies as there are backends to hold them.
            echo "default_replication_num = $((be_count < 3 ? 1 : 3))"
        else
            local disk directories paths="$home/storage"
            for ((disk = 2; disk <= disk_count; disk++)); do
                paths+=";$home/storage$disk"
            done
            echo "storage_root_path = $paths"
            echo "mem_limit = $((80 / (be_count < 1 ? 1 : be_count)))%"
            IFS=';' read -ra directories <<<"$paths"
            mkdir -p "${directories[@]}"
        fi
    } >"$home/conf/$role.conf"
}

# frontend_known QUERY_PORT EDIT_LOG_PORT
frontend_known() {
    sql "$1" 'SHOW FRONTENDS' | awk -F '\t' -v host="$host" -v port="$2" '$3 == host && $4 == port { found = 1 } END { exit !found }'
}

# A home made in this call goes again when its ports are taken, so that the next try can name others.
new_homes=()
new_home() {
    if [[ ! -f $2/conf/$1.conf ]]; then
        make_home "$@"
        new_homes+=("$2")
    fi
}

check_ports() {
    local role="$1" home="$2" spec name key default port
    for spec in $(ports_of "$role"); do
        IFS=: read -r name key default <<<"$spec"
        port="$(conf_value "$home/conf/$role.conf" "$key" "$default")"
        if port_in_use "$port"; then
            [[ ${#new_homes[@]} -eq 0 ]] || rm -rf "${new_homes[@]}"
            die "port $port ($key of $home) is in use; choose another --port-base"
        fi
    done
}

json_string() {
    local text="${1//\\/\\\\}"
    echo "\"${text//\"/\\\"}\""
}

write_json() {
    local role home pid separator="" spec name key default ports
    {
        echo '{"processes": ['
        while read -r role home; do
            pid="$(running_pid "$home" "$role" || echo null)"
            ports=""
            for spec in $(ports_of "$role"); do
                IFS=: read -r name key default <<<"$spec"
                ports+="${ports:+, }\"$name\": $(conf_value "$home/conf/$role.conf" "$key" "$default")"
            done
            printf '%s  {"role": "%s", "home": %s, "pid": %s, "host": "%s", "ports": {%s}}' \
                "$separator" "$role" "$(json_string "$home")" "$pid" "$host" "$ports"
            separator=$',\n'
        done < <(homes)
        printf '\n]}\n'
    } >"$dir/cluster.json.tmp"
    mv -f "$dir/cluster.json.tmp" "$dir/cluster.json"
}

up() {
    [[ $fe_count -ge 1 ]] || die "--fe: a cluster has at least one frontend"
    [[ $disk_count -ge 1 ]] || die "--disks: a backend has at least one directory"
    mkdir -p "$dir"
    dir="$(cd "$dir" && pwd)"
    if [[ -z $port_base ]]; then
        port_base=19030
        [[ ! -f $dir/fe1/conf/fe.conf ]] || port_base="$(port_of fe "$dir/fe1" query)"
    fi
    ((port_base >= 1024 && port_base + 100 + 10 * be_count <= 65535)) || die "--port-base $port_base: ports leave 1024..65535"

    local role home i
    for ((i = 1; i <= fe_count; i++)); do
        new_home fe "$dir/fe$i" $((port_base + 10 * (i - 1)))
    done
    for ((i = 1; i <= be_count; i++)); do
        new_home be "$dir/be$i" $((port_base + 100 + 10 * (i - 1)))
    done
    while read -r role home; do
        running_pid "$home" "$role" >/dev/null || check_ports "$role" "$home"
    done < <(homes)
    # A start that fails stops what this call has started, so that the ports are free for the next try.
    started=()
    trap stop_started EXIT
    # shellcheck disable=SC2329
    stop_started() {
        trap - EXIT
        for home in "${started[@]}"; do
            "$root/bin/stop_${home%% *}.sh" --home "${home#* }" >&2 || true
        done
    }
    # Frontends of a group wait for each other: those that have a catalog start together, new ones join the first.
    local joining=() pids=()
    while read -r role home; do
        if ! running_pid "$home" "$role" >/dev/null; then
            started+=("$role $home")
            if [[ $role == fe && $home != "$dir/fe1" && ! -d $home/meta/log ]]; then
                joining+=("$home")
            else
                "$root/bin/start_$role.sh" --home "$home" --daemon &
                pids+=($!)
            fi
        fi
    done < <(homes)
    local pid
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
    local query_port
    query_port="$(port_of fe "$dir/fe1" query)"
    wait_for "waiting for the frontend" 60 sql "$query_port" 'SELECT 1' ||
        die "the frontend does not answer on port $query_port; see $dir/fe1/log"
    for home in "${joining[@]}"; do
        local edit_log
        edit_log="$host:$(port_of fe "$home" edit_log)"
        frontend_known "$query_port" "${edit_log##*:}" || sql "$query_port" "ALTER SYSTEM ADD FOLLOWER \"$edit_log\""
        "$root/bin/start_fe.sh" --home "$home" --daemon --helper "$host:$(port_of fe "$dir/fe1" edit_log)"
        wait_for "waiting for the frontend of $home" 60 sql "$(port_of fe "$home" query)" 'SELECT 1' ||
            die "the frontend of $home does not answer; see $home/log"
    done
    while read -r role home; do
        [[ $role == fe ]] || register_backend "$query_port" "$host" "$(port_of be "$home" heartbeat)"
    done < <(homes)
    write_json
    trap - EXIT
    echo "cluster of $dir is up: mysql -h $host -P $query_port -u root"
}

down() {
    local role home
    # Backends first: a frontend that still runs sees them leave.
    while read -r role home; do
        "$root/bin/stop_$role.sh" --home "$home" -g --timeout 30
    done < <(homes | tac)
}

status() {
    local role home pid result=0 state spec name key default ports port
    while read -r role home; do
        state="not running"
        pid="-"
        port="$(http_port_of "$home" "$role")"
        if pid="$(running_pid "$home" "$role")"; then
            state="running, not ready"
            ! http_ok "$port" "$(health_path_of "$role")" || state=ready
        fi
        [[ $state == ready ]] || result=1
        ports=""
        for spec in $(ports_of "$role"); do
            IFS=: read -r name key default <<<"$spec"
            ports+=" $name=$(conf_value "$home/conf/$role.conf" "$key" "$default")"
        done
        printf '%-3s %-18s pid %-8s%s  %s\n' "$role" "$state" "${pid:--}" "$ports" "$home"
    done < <(homes)
    return "$result"
}

case "$command" in
    up | down | status)
        [[ -n $dir ]] || die "$command needs --dir DIR"
        if [[ $command != up ]]; then
            [[ -d $dir ]] || die "no directory $dir"
            dir="$(cd "$dir" && pwd)"
            [[ -n $(homes) ]] || die "$dir holds no cluster"
        fi
        "$command"
        ;;
    -h | --help | help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
