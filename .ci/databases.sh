# Private servers of PostgreSQL and MariaDB, on free ports, with their data below $work. To be sourced.
# Servers that run on the machine already are left alone. What is missing is installed with apt, where that is allowed.
# They write through the operating system's cache alone, which a killed server loses nothing of.

postgresql_bin() {
    local postgres
    for postgres in "$(command -v postgres || true)" $(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -rV); do
        [ -x "$postgres" ] && dirname "$(readlink -f "$postgres")" && return
    done
    return 1
}

has_mariadb() { PATH="$PATH:/usr/sbin" command -v mariadbd mariadb-install-db; } >/dev/null

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

as_user() { # as_user NAME COMMAND...: these servers refuse to run as root
    local user=$1
    shift
    if [ "$(id -u)" = 0 ]; then runuser -u "$user" -- "$@"; else "$@"; fi
}

own_directory() { # own_directory NAME PATH
    mkdir -p "$2"
    if [ "$(id -u)" = 0 ]; then chown "$1" "$2"; fi
}

install_servers() {
    local packages=()
    postgresql_bin >/dev/null || packages+=(postgresql)
    has_mariadb || packages+=(mariadb-server)
    [ ${#packages[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing: ${packages[*]}; install them, or run this as root where apt-get is" >&2
        return 1
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
}

start_postgresql() { # prints the server's URL
    local bin port data=$work/postgresql
    bin=$(postgresql_bin)
    port=$(free_port)
    own_directory postgres "$data"
    (
        cd "$data" &&
        as_user postgres "$bin/initdb" --auth=trust --username=postgres --encoding=UTF8 --locale=C -D "$data/data" &&
        as_user postgres "$bin/pg_ctl" -D "$data/data" -w -t 60 -l "$data/log" start \
            -o "-p $port -k $data -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off"
    ) >&2 || return 1
    echo "postgresql://postgres@127.0.0.1:$port/postgres"
}

stop_postgresql() {
    local data=$work/postgresql
    [ ! -f "$data/data/postmaster.pid" ] || (cd "$data" && as_user postgres "$(postgresql_bin)/pg_ctl" -D data -m immediate stop)
}

# Its temporary tables have a folder of their own: a server that starts removes those of all others that use the same.
start_mariadb() { # prints the server's URL
    local port data=$work/mariadb PATH="$PATH:/usr/sbin"
    port=$(free_port)
    own_directory mysql "$data"
    (
        cd "$data" || exit 1
        as_user mysql mariadb-install-db --no-defaults --datadir="$data/data" --auth-root-authentication-method=normal \
            --skip-test-db || exit 1
        as_user mysql "$(command -v mariadbd)" --no-defaults --datadir="$data/data" --socket="$data/socket" --port="$port" \
            --bind-address=127.0.0.1 --pid-file="$data/pid" --max-connections=300 --innodb-flush-method=nosync \
            --tmpdir="$data" \
            >"$data/log" 2>&1 </dev/null &
        for _ in $(seq 120); do
            if mariadb-admin --no-defaults --socket="$data/socket" --user=root ping; then exit 0; fi
            sleep 0.5
        done
        cat "$data/log"
        exit 1
    ) >&2 || return 1
    echo "mysql://root@127.0.0.1:$port/mysql"
}

stop_mariadb() {
    [ ! -f "$work/mariadb/pid" ] || kill "$(cat "$work/mariadb/pid")"
}
