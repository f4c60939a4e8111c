#!/usr/bin/env bash
# Restarts a cluster of cluster.sh node by node while it serves, with other binaries if asked: rolling_restart.sh --dir DIR ...
#
# Backends first, then followers and observers, the leader last; it hands leadership over as it stops. A node is told to leave, ends
# what it runs, is started again, and the next one waits until every node answers and every tablet is well. Balancing is frozen
# meanwhile. What each node ran before is kept in its home: --rollback goes back to it in the same way.
set -euo pipefail
# shellcheck source=bin/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<TEXT
usage: rolling_restart.sh --dir DIR [--binaries BIN] [--timeout SECONDS]   restarts every node, with the programs in BIN if given
       rolling_restart.sh --dir DIR --rollback [--timeout SECONDS]         back to the programs of before
A node may take SECONDS (600) to leave, and as long until the cluster is healthy again; else it stops there and says why. Started
again it begins anew: nodes that run what they are to run are restarted like the others. --rollback leaves nodes alone to which the
programs had not come yet.
TEXT
}

dir="" binaries="" rollback=false timeout=600
while [[ $# -gt 0 ]]; do
    case "$1" in
        --dir | --binaries | --timeout)
            need_value "$@"
            [[ $1 != --timeout || $2 =~ ^[0-9]+$ ]] || die "--timeout needs a number of seconds, not '$2'"
            declare "${1#--}=$2"
            shift
            ;;
        --rollback) rollback=true ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) die "unknown option '$1' (--help lists them)" ;;
    esac
    shift
done
[[ -n $dir ]] || die "--dir: which cluster? (--help)"
[[ -f $dir/cluster.json ]] || die "--dir: no cluster of cluster.sh in $dir"
dir="$(cd "$dir" && pwd)"
[[ $rollback == false || -z $binaries ]] || die "--rollback takes no --binaries: each node has what it ran before"
if [[ -n $binaries ]]; then
    for role in fe be; do
        [[ -x $binaries/mirrorship-$role ]] || die "--binaries: no program $binaries/mirrorship-$role"
    done
    binaries="$(cd "$binaries" && pwd)"
fi

query_port() {
    conf_value "$1/conf/fe.conf" query_port 9030
}

mapfile -t frontends < <(ls -d "$dir"/fe[1-9]* | sort -V)
mapfile -t backends < <(ls -d "$dir"/be[1-9]* | sort -V)
[[ ${#frontends[@]} -gt 0 ]] || die "$dir has no frontend"

# rows STATEMENT COLUMN...: the named columns of a statement's rows, tab separated, asked of a frontend that answers (not of $avoid).
avoid=""
rows() {
    local statement="$1" home client
    shift
    client="$(mysql_client)" || die "no MySQL client: apt-get install default-mysql-client"
    for home in "${frontends[@]}"; do
        [[ $home != "$avoid" ]] || continue
        "$client" --no-defaults --protocol=tcp -h 127.0.0.1 -P "$(query_port "$home")" -u root --connect-timeout=5 -B -e "$statement" 2>/dev/null |
            awk -F '\t' -v wanted="$*" '
                NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; count = split(wanted, names, " "); next }
                { for (i = 1; i <= count; i++) printf "%s%s", $at[names[i]], i < count ? "\t" : "\n" }' && return 0
    done
    return 1
}

# Why the cluster is not healthy; nothing when it is.
troubles() {
    local name alive count unwell
    { rows 'SHOW FRONTENDS' IP EditLogPort Alive || echo "no_frontend_answers - false"; } | while read -r name count alive; do
        [[ $alive == true ]] || echo "frontend $name:$count does not answer"
    done
    { rows 'SHOW BACKENDS' IP HeartbeatPort Alive || true; } | while read -r name count alive; do
        [[ $alive == true ]] || echo "backend $name:$count does not answer"
    done
    { rows "SHOW PROC '/statistic'" DbId DbName UnhealthyTabletNum || true; } | while IFS=$'\t' read -r count name unwell; do
        [[ $count == Total || $unwell == 0 ]] || echo "$unwell tablets of $name are not well"
    done
}

healthy() {
    [[ -z "$(troubles)" ]]
}

# The last heartbeat of a node, by its port; nothing while it is not known to be alive.
beat() {
    local role="$1" home="$2" statement="SHOW FRONTENDS" port
    port="$(conf_value "$home/conf/$role.conf" edit_log_port 9010)"
    local column=EditLogPort
    if [[ $role == be ]]; then
        statement="SHOW BACKENDS" column=HeartbeatPort
        port="$(conf_value "$home/conf/$role.conf" heartbeat_service_port 9050)"
    fi
    rows "$statement" "$column" Alive LastHeartbeat | awk -F '\t' -v port="$port" '$1 == port && $2 == "true" { print $3 }'
}

# beaten ROLE HOME BEFORE: it has answered a heartbeat since.
beaten() {
    local now
    now="$(beat "$1" "$2")"
    [[ -n $now && $now != "$3" ]]
}

wait_healthy() {
    wait_for "waiting until the cluster is healthy" "$timeout" healthy || die "stopped after $1: $(troubles | paste -sd ';'); mend it and start again, or go back with --rollback"
}

# Every frontend has the setting in its memory: the leader may change on the way.
set_balance() {
    local home
    for home in "${frontends[@]}"; do
        sql "$(query_port "$home")" "ADMIN SET FRONTEND CONFIG (\"tablet_sched_disable_balance\" = \"$1\")" >/dev/null 2>&1 || true
    done
}

# What a node is to run.
program_of() {
    echo "${binaries:-$target_dir/release}/mirrorship-$1"
}

# What nodes ran before an earlier roll-out is no longer of use: should this one end halfway, a node that it has not reached stays.
forget_previous() {
    local home role pid
    for home in "${backends[@]}" "${frontends[@]}"; do
        role="$(basename "$home")"
        role="${role:0:2}"
        pid="$(running_pid "$home" "$role")" || continue
        cmp -s "/proc/$pid/exe" "$(program_of "$role")" || rm -rf "$home/previous"
    done
}

restart() {
    local role="$1" home="$2" pid program before
    avoid="$home"
    pid="$(running_pid "$home" "$role")" || die "mirrorship-$role of $home does not run"
    before="$home/previous/mirrorship-$role"
    if [[ $rollback == true ]]; then
        if [[ ! -x $before ]]; then
            note "$home is left alone: nothing was rolled out there"
            avoid=""
            return 0
        fi
        mkdir -p "$home/current"
        cp -f "$before" "$home/current/mirrorship-$role.new"
        mv -f "$home/current/mirrorship-$role.new" "$home/current/mirrorship-$role"
        program="$home/current/mirrorship-$role"
    else
        # The file may have been replaced since the start: what runs is what counts. A roll-out that begins anew keeps what it kept.
        if [[ ! -x $before ]]; then
            mkdir -p "$home/previous"
            cp -f "/proc/$pid/exe" "$before.new"
            mv -f "$before.new" "$before"
        fi
        program="$(program_of "$role")"
    fi
    "$root/bin/stop_$role.sh" --home "$home" --graceful --timeout "$timeout"
    MIRRORSHIP_PROGRAM="$program" "$root/bin/start_$role.sh" --home "$home" --daemon
    avoid=""
    [[ $role == be ]] || set_balance true
    local seen
    seen="$(beat "$role" "$home" || true)"
    wait_for "waiting for a heartbeat of $home" "$timeout" beaten "$role" "$home" "$seen" || die "stopped: $home does not answer the cluster's heartbeats"
    wait_healthy "$home"
}

leader() {
    local found home
    found="$(rows 'SHOW FRONTENDS' Role QueryPort | awk -F '\t' '$1 == "LEADER" { print $2 }')"
    for home in "${frontends[@]}"; do
        [[ "$(query_port "$home")" != "$found" ]] || echo "$home"
    done
}

healthy || die "not started: $(troubles | paste -sd ';')"
if [[ $rollback == true ]]; then
    compgen -G "$dir/*/previous" >/dev/null || die "no node knows what it ran before: nothing was rolled out"
else
    forget_previous
fi
frozen="$(rows "ADMIN SHOW FRONTEND CONFIG LIKE 'tablet_sched_disable_balance'" Value)"
trap 'set_balance "${frozen:-false}"' EXIT
set_balance true
for home in "${backends[@]}"; do
    restart be "$home"
done
last="$(leader)"
for home in "${frontends[@]}"; do
    [[ $home == "$last" ]] || restart fe "$home"
done
[[ -z $last ]] || restart fe "$last"
echo "all nodes of $dir have been restarted"
