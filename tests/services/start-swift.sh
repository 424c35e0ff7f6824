#!/usr/bin/env bash
# start-swift.sh start|stop|wipe|status: an S3 server for tests on machines without root or without Debian.
#
# OpenStack Swift with its S3 interface, installed by pip into an environment of its own, four processes on
# loopback. It wants a file system with extended attributes of users (ext4, xfs, btrfs, recent tmpfs).
#
#   HALLMARK_SWIFT_ROOT  environment, configuration and data
#   HALLMARK_SWIFT_PORT  S3 here; the three storage services on the next ports
set -euo pipefail
root=${HALLMARK_SWIFT_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/hallmark-tests/swift}
port=${HALLMARK_SWIFT_PORT:-7590}
release=2.38.3
bin=$root/venv/bin
services=(proxy account container object)  # in the order of their ports

port_of() {
    local n
    for n in "${!services[@]}"; do
        if [ "${services[n]}" = "$1" ]; then echo $((port + n)); fi
    done
}

install_once() {
    [ ! -e "$root/installed-$release" ] || return 0
    mkdir -p "$root"
    "${PYTHON:-python3}" -m venv --clear "$root/venv"
    "$bin/pip" install --quiet --disable-pip-version-check "swift==$release"
    touch "$root/installed-$release"
}

require_attributes() {
    "$bin/python" - "$root/data/disk" <<'PYTHON'
import os, sys, tempfile
with tempfile.NamedTemporaryFile(dir=sys.argv[1]) as file:
    try:
        os.setxattr(file.name, "user.hallmark.probe", bytes(3000))
    except OSError as error:
        sys.exit(f"start-swift: Swift cannot keep its metadata on this file system: {error}")
PYTHON
}

filter() {  # NAME [LINE...]: a stage of the proxy's pipeline
    printf '[filter:%s]\nuse = egg:swift#%s\n' "$1" "${1//-/_}"
    [ $# -eq 1 ] || printf '%s\n' "${@:2}"
}

common() {  # SERVICE
    printf '[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %s\nuser = %s\nswift_dir = %s\ndevices = %s\n' \
        "$(port_of "$1")" "$(id -un)" "$root/etc" "$root/data"
    printf 'mount_check = false\nworkers = 2\nlog_level = WARNING\n'
}

configuration() {
    cat >"$root/etc/swift.conf" <<'CONF'
[swift-hash]
swift_hash_path_suffix = hallmark
[storage-policy:0]
name = default
default = yes
CONF
    local name
    for name in account container object; do
        { common $name; printf '[pipeline:main]\npipeline = healthcheck %s-server\n' $name
          printf '[app:%s-server]\nuse = egg:swift#%s\n' $name $name
          filter healthcheck; } >"$root/etc/$name.conf"
    done
    {
        common proxy
        printf '[pipeline:main]\npipeline = catch_errors gatekeeper healthcheck listing_formats bulk s3api tempauth copy slo dlo proxy-server\n'
        printf '[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\nallow_account_management = true\n'
        for name in catch_errors gatekeeper healthcheck listing_formats bulk copy dlo; do filter $name; done
        filter slo 'max_manifest_segments = 10000'
        filter tempauth 'user_hallmark_tests = hallmark-tests-secret .admin'
        filter s3api 'location = us-east-1' 'max_upload_part_num = 10000'
    } >"$root/etc/proxy.conf"
}

ring() {  # SERVICE: a ring of one device
    [ ! -e "$root/etc/$1.ring.gz" ] || return 0
    local builder=$root/etc/$1.builder
    rm -f "$builder"
    "$bin/swift-ring-builder" "$builder" create 4 1 1 >/dev/null
    "$bin/swift-ring-builder" "$builder" add --region 1 --zone 1 --device disk --weight 1 \
        --ip 127.0.0.1 --port "$(port_of "$1")" >/dev/null
    "$bin/swift-ring-builder" "$builder" rebalance >/dev/null || [ $? -eq 1 ]  # 1: a warning only
}

# A process that has ended stays a zombie where process 1 does not reap, as in some containers.
is_up() {
    [ -s "$root/run/$1.pid" ] || return 1
    local pid
    pid=$(cat "$root/run/$1.pid")
    kill -0 "$pid" 2>/dev/null && ! grep -qs '^State:.Z' "/proc/$pid/status"
}

answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET /healthcheck HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200') 2>/dev/null
}

start() {
    install_once
    mkdir -p "$root"/{etc,run,log,data/disk}
    require_attributes
    configuration
    local name
    for name in account container object; do ring $name; done
    for name in "${services[@]}"; do
        is_up "$name" && continue
        setsid "$bin/swift-$name-server" "$root/etc/$name.conf" </dev/null >>"$root/log/$name" 2>&1 &
        echo $! >"$root/run/$name.pid"
    done
    for name in "${services[@]}"; do
        for _ in $(seq 300); do
            answers "$(port_of "$name")" && continue 2
            is_up "$name" || break
            sleep 0.1
        done
        echo "start-swift: $name does not answer; the end of its log:" >&2
        tail -n 10 "$root/log/$name" >&2
        exit 1
    done
    echo "OpenStack Swift $release, http 127.0.0.1:$port"
}

stop() {
    local name pid
    for name in "${services[@]}"; do
        is_up "$name" || continue
        pid=$(cat "$root/run/$name.pid")
        kill "$pid"
        for _ in $(seq 50); do is_up "$name" || break; sleep 0.1; done
        ! is_up "$name" || kill -9 -- "-$pid"
        rm -f "$root/run/$name.pid"
    done
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    wipe) stop; rm -rf "$root/data" "$root/etc" ;;
    status) for name in "${services[@]}"; do if is_up "$name"; then echo "$name is up"; else echo "$name is down"; fi; done ;;
    *) echo "usage: start-swift.sh start|stop|wipe|status" >&2; exit 2 ;;
esac
