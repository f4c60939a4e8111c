# shellcheck shell=bash
# What the scripts in bin/ share: messages, conf files, pid files, packages, and a MySQL statement. Sourced, never run.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
target_dir="${CARGO_TARGET_DIR:-$root/target}"

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

note() {
    echo "${0##*/}: $*" >&2
}

# The value of an option: `need_value "$@"` dies when there is none.
need_value() {
    [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value"
}

# ---- conf files

# conf_value FILE KEY DEFAULT: the last setting of a key.
conf_value() {
    local value
    value="$(sed -nE "s/^[[:space:]]*$2[[:space:]]*=[[:space:]]*(.*[^[:space:]])[[:space:]]*$/\\1/p" "$1" 2>/dev/null | tail -n 1 || true)"
    value="${value%\"}"
    value="${value#\"}"
    echo "${value:-$3}"
}

# expand TEXT: `${NAME}` replaced from the environment; nothing is executed.
expand() {
    local value="$1" before after
    while [[ $value =~ ^(.*)\$\{([A-Za-z_][A-Za-z0-9_]*)\}(.*)$ ]]; do
        before="${BASH_REMATCH[1]}"
        after="${BASH_REMATCH[3]}"
        value="$before$(printenv "${BASH_REMATCH[2]}" || true)$after"
    done
    echo "$value"
}

# Exports the UPPER_CASE settings of a conf file.
export_conf_environment() {
    local line name value
    while IFS= read -r line || [[ -n $line ]]; do
        [[ $line =~ ^[[:space:]]*([A-Z_][A-Z0-9_]*)[[:space:]]*=[[:space:]]*(.*)$ ]] || continue
        name="${BASH_REMATCH[1]}"
        value="${BASH_REMATCH[2]%"${BASH_REMATCH[2]##*[![:space:]]}"}"
        value="${value%\"}"
        value="${value#\"}"
        value="$(expand "$value")"
        export "$name=$value"
    done <"$1"
}

# ---- processes

# alive PID NAME: the process runs (a zombie does not) and is the program of that name, not a later owner of the number.
alive() {
    local stat
    [[ $1 =~ ^[0-9]+$ ]] && [[ -r /proc/$1/stat ]] || return 1
    stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
    [[ $stat == *"($2)"* ]] || return 1
    [[ ${stat##*) } != Z* ]] || dying "$1"
}

# dying PID: it was killed, and threads of it that wait for a disk still hold its ports and locks. Its first thread is a zombie by then.
dying() {
    local stat threads=("/proc/$1/task/"[0-9]*)
    stat="$(cat "/proc/$1/stat" 2>/dev/null)" && [[ ${stat##*) } == Z* ]] && ((${#threads[@]} > 1))
}

# running_pid HOME ROLE: prints the pid of the process that a pid file names, when it runs.
running_pid() {
    local pid
    pid="$(cat "$1/$2.pid" 2>/dev/null)" || return 1
    alive "$pid" "mirrorship-$2" && echo "$pid"
}

# port_in_use PORT: something listens on it on this machine.
port_in_use() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# http_ok PORT PATH: the answer has status 200. One that ends while it is asked closes the connection: that is a no, not the end of the script.
http_ok() (
    trap '' PIPE
    exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3 || exit 1
    IFS= read -r -t 2 status <&3 || exit 1
    [[ $status == *" 200 "* ]]
)

# The port of a process that answers HTTP, and a path that needs no password.
http_port_of() {
    if [[ $2 == fe ]]; then
        conf_value "$1/conf/fe.conf" http_port 8030
    else
        conf_value "$1/conf/be.conf" be_http_port "$(conf_value "$1/conf/be.conf" webserver_port 8040)"
    fi
}

health_path_of() {
    if [[ $1 == fe ]]; then echo /api/bootstrap; else echo /api/health; fi
}

# start_process ROLE "$@": the body of start_fe.sh and start_be.sh.
start_process() {
    local role="$1" home="$root" daemon=false pass=() run=()
    shift
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --daemon) daemon=true ;;
            --home)
                need_value "$@"
                home="$2"
                shift
                ;;
            --helper)
                [[ $role == fe ]] || die "--helper is an option of start_fe.sh"
                need_value "$@"
                pass+=(--helper "$2")
                shift
                ;;
            --host_type)
                [[ $role == fe ]] || die "--host_type is an option of start_fe.sh"
                need_value "$@"
                [[ ${2^^} == IP || ${2^^} == FQDN ]] || die "--host_type is IP or FQDN, not $2"
                pass+=(--host_type "${2^^}")
                shift
                ;;
            --logconsole) pass+=(--logconsole) ;;
            --numa)
                [[ $role == be ]] || die "--numa is an option of start_be.sh"
                need_value "$@"
                command -v numactl >/dev/null || die "--numa needs numactl: apt-get install numactl"
                run=(numactl --cpunodebind "$2" --membind "$2")
                shift
                ;;
            --failpoint) ;; # Fail points can always be set (ADMIN ENABLE FAILPOINT).
            --debug) die "--debug is not supported: attach a debugger to the process instead" ;;
            --cluster_snapshot) die "--cluster_snapshot is not supported: there are no snapshots of clusters yet" ;;
            -h | --help)
                echo "usage: ${0##*/} [--daemon] [--home DIR] [--logconsole]$(if [[ $role == fe ]]; then echo ' [--helper HOST:EDIT_LOG_PORT] [--host_type IP|FQDN]'; else echo ' [--numa NODE]'; fi)"
                exit 0
                ;;
            *) die "unknown option '$1' (--help lists them)" ;;
        esac
        shift
    done

    local program="${MIRRORSHIP_PROGRAM:-$target_dir/release/mirrorship-$role}"
    [[ -x $program ]] || die "$program is not built: run 'cargo build --release --workspace'"
    [[ -d $home ]] || die "--home: no directory $home"
    home="$(cd "$home" && pwd)"
    local conf="$home/conf/$role.conf"
    [[ -f $conf ]] || die "no $conf: copy $root/conf/$role.conf there and set ports and directories"

    # Two start scripts at once: one of them waits here until the other has written the pid file.
    exec 9>>"$home/$role.pid.lock"
    flock -w 30 9 || die "another start of $home is under way"
    local pid
    if pid="$(running_pid "$home" "$role")"; then
        # One that was just killed is waited for: its ports are free as soon as its last write is done.
        local i
        for ((i = 0; i < 600; i++)); do
            dying "$pid" || break
            sleep 0.05
        done
        ! dying "$pid" || die "mirrorship-$role of $home was killed, but waits for its disk (pid $pid): see 'cat /proc/$pid/task/*/wchan'"
    fi
    if pid="$(running_pid "$home" "$role")"; then
        die "mirrorship-$role of $home runs already (pid $pid); stop it with $root/bin/stop_$role.sh --home $home"
    fi

    export MIRRORSHIP_HOME="$home" STARROCKS_HOME="$home"
    export_conf_environment "$conf"
    local log_dir
    log_dir="$(expand "$(conf_value "$conf" sys_log_dir "${LOG_DIR:-log}")")"
    [[ $log_dir == /* ]] || log_dir="$home/$log_dir"
    mkdir -p "$log_dir" || die "cannot create the log directory $log_dir"

    if [[ $daemon == false ]]; then
        echo $$ >"$home/$role.pid"
        exec 9>&-
        exec "${run[@]}" "$program" --home "$home" "${pass[@]}"
    fi

    local port path begun=$SECONDS
    port="$(http_port_of "$home" "$role")"
    path="$(health_path_of "$role")"
    ! port_in_use "$port" || die "port $port of $home is in use by another process"

    # What the process prints itself (start-up errors, panics); its log rolls by itself.
    local out="$log_dir/$role.out"
    if [[ -f $out && $(stat -c %s "$out") -gt $((64 << 20)) ]]; then
        mv -f "$out" "$out.1"
    fi
    echo "$(date '+%F %T') starting mirrorship-$role" >>"$out"
    local out_start
    out_start="$(stat -c %s "$out")"
    setsid nohup "${run[@]}" "$program" --home "$home" "${pass[@]}" >>"$out" 2>&1 </dev/null 9>&- &
    pid=$!
    echo "$pid" >"$home/$role.pid"

    # A bad start shows within moments; a frontend that waits for the others of its group is left alone.
    while ((SECONDS - begun < 10)); do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$home/$role.pid"
            tail -c "+$((out_start + 1))" "$out" | tail -n 20 >&2
            die "mirrorship-$role of $home did not start; see $log_dir"
        fi
        if http_ok "$port" "$path"; then
            echo "mirrorship-$role of $home started (pid $pid)"
            return 0
        fi
        sleep 0.025
    done
    echo "mirrorship-$role of $home started (pid $pid) and is not ready yet; see $log_dir"
}

# stop_process ROLE "$@": the body of stop_fe.sh and stop_be.sh.
stop_process() {
    local role="$1" home="$root" graceful=false timeout=75
    shift
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --home)
                need_value "$@"
                home="$2"
                shift
                ;;
            -g | --graceful) graceful=true ;;
            --timeout)
                need_value "$@"
                [[ $2 =~ ^[0-9]+$ ]] || die "--timeout needs a number of seconds"
                timeout="$2"
                shift
                ;;
            -h | --help)
                echo "usage: ${0##*/} [--home DIR] [-g|--graceful] [--timeout SECONDS]"
                exit 0
                ;;
            *) die "unknown option '$1' (--help lists them)" ;;
        esac
        shift
    done
    [[ -d $home ]] || die "--home: no directory $home"
    home="$(cd "$home" && pwd)"
    local pid
    if ! pid="$(running_pid "$home" "$role")"; then
        rm -f "$home/$role.pid"
        echo "mirrorship-$role of $home does not run"
        return 0
    fi
    # A backend acknowledges nothing it could lose, so stopping one is quick unless asked otherwise; a frontend hands over either way.
    if [[ $role == be && $graceful == false ]]; then
        kill -KILL "$pid" 2>/dev/null || true
    elif [[ $graceful == false ]]; then
        kill -INT "$pid" 2>/dev/null || die "cannot stop pid $pid: it belongs to another user"
    else
        kill -TERM "$pid" 2>/dev/null || die "cannot stop pid $pid: it belongs to another user"
    fi
    local i
    for ((i = 0; i < timeout * 20; i++)); do
        alive "$pid" "mirrorship-$role" || break
        sleep 0.05
    done
    if alive "$pid" "mirrorship-$role"; then
        note "pid $pid has not stopped within $timeout s and is killed"
        kill -KILL "$pid" 2>/dev/null || true
        while alive "$pid" "mirrorship-$role"; do sleep 0.05; done
    fi
    rm -f "$home/$role.pid"
    echo "mirrorship-$role of $home stopped"
}

# ---- MySQL

mysql_client() {
    local name
    for name in mysql mariadb; do
        if command -v "$name" >/dev/null; then
            echo "$name"
            return 0
        fi
    done
    return 1
}

# sql PORT STATEMENT: rows as text, tab separated, no header. User root; its password is in MYSQL_PWD when it has one.
sql() {
    local client
    if client="$(mysql_client)"; then
        "$client" --no-defaults --protocol=tcp -h 127.0.0.1 -P "$1" -u root --connect-timeout=5 -N -B -e "$2"
    elif python3 -c 'import pymysql' 2>/dev/null; then
        python3 - "$1" "$2" <<'PYTHON'
import os, sys
import pymysql
connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", password=os.environ.get("MYSQL_PWD", ""))
with connection.cursor() as cursor:
    cursor.execute(sys.argv[2])
    for row in cursor.fetchall() or ():
        print("\t".join("NULL" if v is None else str(v) for v in row))
PYTHON
    else
        die "no MySQL client: apt-get install default-mysql-client (or pip install pymysql)"
    fi
}

# wait_for TEXT SECONDS COMMAND...: repeats until it succeeds, showing progress on a terminal.
wait_for() {
    local text="$1" seconds="$2" start=$SECONDS
    shift 2
    [[ ! -t 2 ]] || printf '%s ' "$text" >&2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS - start >= seconds)); then
            [[ ! -t 2 ]] || echo >&2
            return 1
        fi
        [[ ! -t 2 ]] || printf '.' >&2
        sleep 0.1
    done
    [[ ! -t 2 ]] || echo ' ok' >&2
}

# backend_alive QUERY_PORT HOST HEARTBEAT_PORT. Columns of SHOW BACKENDS are found by name, not by place.
backend_alive() {
    local client rows
    if client="$(mysql_client)"; then
        rows="$("$client" --no-defaults --protocol=tcp -h 127.0.0.1 -P "$1" -u root --connect-timeout=5 -B -e 'SHOW BACKENDS')" || return 1
    else
        rows="$(python3 - "$1" <<'PYTHON'
import os, sys
import pymysql
connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", password=os.environ.get("MYSQL_PWD", ""))
with connection.cursor() as cursor:
    cursor.execute("SHOW BACKENDS")
    print("\t".join(column[0] for column in cursor.description))
    for row in cursor.fetchall():
        print("\t".join(str(v) for v in row))
PYTHON
        )" || return 1
    fi
    awk -F '\t' -v host="$2" -v port="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["IP"] == host && $at["HeartbeatPort"] == port { found = 1; ok = tolower($at["Alive"]) == "true" }
        END { exit !(found && ok) }' <<<"$rows"
}

# register_backend QUERY_PORT HOST HEARTBEAT_PORT: adds it unless the cluster knows it, and waits until it is alive.
register_backend() {
    if ! backend_known "$@"; then
        sql "$1" "ALTER SYSTEM ADD BACKEND \"$2:$3\"" || return 1
    fi
    wait_for "waiting for backend $2:$3" 60 backend_alive "$@" || die "backend $2:$3 is not alive after 60 s; SHOW BACKENDS says why"
}

backend_known() {
    sql "$1" 'SHOW BACKENDS' | awk -F '\t' -v host="$2" -v port="$3" '
        { for (i = 1; i < NF; i++) if ($i == host && $(i + 1) == port) found = 1 } END { exit !found }'
}

# ---- packages

# have_package_for NAME: what the Debian package gives is there, however it came.
have_package_for() {
    case "$1" in
        build-essential) command -v g++ >/dev/null && command -v make >/dev/null ;;
        libclang-dev)
            [[ -n ${LIBCLANG_PATH:-} ]] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
                compgen -G '/usr/lib/*/libclang*.so*' >/dev/null
            ;;
        protobuf-compiler) command -v protoc >/dev/null ;;
        default-mysql-client) mysql_client >/dev/null ;;
        python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
        util-linux) command -v flock >/dev/null && command -v setsid >/dev/null ;;
        default-libmysqlclient-dev) command -v mysql_config >/dev/null || command -v mariadb_config >/dev/null ;;
        pkg-config) command -v pkg-config >/dev/null ;;
        python3-dev) python3 -c 'import os, sysconfig; raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' 2>/dev/null ;;
        nodejs) command -v node >/dev/null ;;
        default-jdk-headless) command -v javac >/dev/null ;;
        libmariadb-java) compgen -G '/usr/share/java/mariadb-java-client*.jar' >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# install_packages NAME...: only those missing, with apt-get.
install_packages() {
    local missing=() name as_root=()
    for name in "$@"; do
        have_package_for "$name" || missing+=("$name")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null || die "missing: ${missing[*]} (names of the Debian packages; this machine has no apt-get)"
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || die "missing: ${missing[*]}; as root run: apt-get install -y --no-install-recommends ${missing[*]}"
        as_root=(sudo)
    fi
    note "installing ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || die "apt-get update failed"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get install ${missing[*]} failed"
}

# A toolchain installed for this user is found even when the shell's start files were not read.
find_cargo() {
    if ! command -v cargo >/dev/null && [[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    command -v cargo >/dev/null || die "no cargo: install the Rust toolchain, see https://rustup.rs"
}

# What a build needs.
# shellcheck disable=SC2034
build_packages=(build-essential libclang-dev protobuf-compiler curl util-linux)

# check_machine DIR: what building and running needs of the machine. Disk counts only while there is nothing built yet.
check_machine() {
    local free_kb memory_kb need_gb=10
    [[ $(uname -sm) == "Linux x86_64" ]] || die "Linux on x86_64 is needed, this is $(uname -sm)"
    local flag
    for flag in avx2 bmi2 fma; do
        grep -qw "$flag" /proc/cpuinfo || die "this CPU has no $flag (it is older than x86-64-v3), which the servers need"
    done
    memory_kb="$(awk '/^MemTotal/ {print $2}' /proc/meminfo)"
    ((memory_kb >= 3800000)) || die "4 GB of memory are needed, this machine has $((memory_kb / 1000000)) GB"
    [[ ! -x $target_dir/release/mirrorship-be ]] || need_gb=2
    mkdir -p "$target_dir" "$1"
    local dir
    for dir in "$target_dir" "$1"; do
        free_kb="$(df -Pk "$dir" | awk 'NR == 2 {print $4}')"
        ((free_kb >= need_gb * 1000000)) || die "$need_gb GB of free disk are needed at $dir, there are $((free_kb / 1000000)) GB"
    done
}

# The one selection of packages that set-up and tests build, so that nothing is built twice.
build_all() {
    (cd "$root" && cargo build --release --workspace)
}
