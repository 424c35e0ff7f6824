#!/usr/bin/env bash
# ceph-node start|stop|status: one monitor, one disk in a sparse file and one S3 gateway, all on loopback.
# start-rgw.sh runs this inside its chroot. Every step is skipped where it has been done, so a start that was
# interrupted is finished by the next one.
set -Eeuo pipefail
exec 4>&2  # what people should see; everything else goes to a log
trap 'echo "ceph-node: line $LINENO failed; see $data/log in the chroot" >&4' ERR
data=/srv/ceph
port=$HALLMARK_RGW_PORT
export CEPH_CONF=$data/ceph.conf
disk_size=$((24 << 30))  # bytes; sparse, so it takes only what is stored

# A daemon that was killed may stay a zombie where process 1 does not reap, as in some containers.
is_running() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:.Z' "/proc/$1/status"; }
is_up() { [ -s "$data/$1.pid" ] && is_running "$(cat "$data/$1.pid")"; }

once() {  # NAME COMMAND...: run it unless it has succeeded before
    [ ! -e "$data/done.$1" ] || return 0
    "${@:2}"
    touch "$data/done.$1"
}

until_true() {  # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    until "${@:2}" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "ceph-node: waited $1 s in vain for: ${*:2}" >&4; return 1; }
        sleep 0.1
    done
}

remember() {  # NAME: a random id that stays the same
    [ -s "$data/$1" ] || cat /proc/sys/kernel/random/uuid >"$data/$1"
}

certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -addext 'basicConstraints=critical,CA:TRUE' \
        -addext 'keyUsage=critical,digitalSignature,keyCertSign' \
        -keyout "$data/tls.key" -out "$data/tls.crt" 2>>"$data/log/setup"
}

configuration() {
    cat >"$CEPH_CONF" <<CONF
[global]
fsid = $(cat "$data/fsid")
no_mon_config = true
mon_initial_members = a
mon_host = [v1:127.0.0.1:$((port + 2))]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $data/run
admin_socket = $data/run/\$name.\$pid.asok
log_file = $data/log/\$name
pid_file = $data/\$type.pid
# one disk: one copy, no balancing
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
[mon]
mon_data = $data/mon
mon_data_avail_warn = 2
mon_data_avail_crit = 1
paxos_propose_interval = 0.1
paxos_min_wait = 0.02
[osd]
osd_data = $data/osd
osd_objectstore = bluestore
bluestore_block_size = $disk_size
osd_memory_target = 1073741824
# on start it would tell the monitor where it is, and give up where that knows its own cluster first
osd_class_update_on_start = false
osd_crush_update_on_start = false
[client.rgw]
rgw_data = $data/rgw
rgw_frontends = beast endpoint=127.0.0.1:$port ssl_endpoint=127.0.0.1:$((port + 1)) ssl_certificate=$data/tls.crt ssl_private_key=$data/tls.key tcp_nodelay=1
rgw_enable_usage_log = false
# deleted objects keep their space for two hours otherwise, and a few benchmarks fill the disk
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 10
rgw_gc_processor_max_time = 10
CONF
}

make_monitor() {
    monmaptool --create --clobber --addv a "[v1:127.0.0.1:$((port + 2))]" --fsid "$(cat "$data/fsid")" "$data/monmap"
    ceph-mon -i a --mkfs --monmap "$data/monmap"
}

make_disk() {
    remember osd.uuid
    # a young monitor refuses commands for a moment; all of this may be repeated
    until_true 10 timeout 5 ceph osd new "$(cat "$data/osd.uuid")" 0
    ceph-osd -i 0 --mkfs --osd-uuid "$(cat "$data/osd.uuid")"
    until_true 10 timeout 5 ceph osd crush add 0 1.0 root=default host=localhost
}

make_user() {
    radosgw-admin -n client.rgw user create --uid=tests --display-name=tests \
        --access-key=hallmark-tests --secret-key=hallmark-tests-secret
}

disk_is_up() { timeout 5 ceph osd stat | grep -q '1 up'; }
gateway_answers() { exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && grep -q HTTP <&3; }

start() {
    mkdir -p "$data"/{mon,osd,rgw,run,log}
    exec >>"$data/log/setup" 2>&1 </dev/null
    remember fsid
    once certificate certificate
    configuration
    once monitor make_monitor
    # a daemon must not hold the caller's pipe open: hence 4>&-
    is_up mon || ceph-mon -i a 4>&-
    until_true 20 timeout 5 ceph mon stat
    once disk make_disk
    is_up osd || ceph-osd -i 0 4>&-
    until_true 30 disk_is_up
    is_up rgw || radosgw -n client.rgw --pid-file="$data/rgw.pid" 4>&-
    until_true 60 gateway_answers
    once user make_user
    echo "$(radosgw --version | cut -d ' ' -f 1-3), http 127.0.0.1:$port, https 127.0.0.1:$((port + 1))" >&4
}

end() {  # NAME TENTHS: ask it to end, and after that time make it
    is_up "$1" || return 0
    local pid
    pid=$(cat "$data/$1.pid")
    kill "$pid"
    for _ in $(seq "$2"); do
        is_running "$pid" || break
        sleep 0.1
    done
    ! is_running "$pid" || kill -9 "$pid"
    rm -f "$data/$1.pid"
}

case ${1:-} in
    start) start ;;
    stop) end rgw 10; end osd 150; end mon 50 ;;  # the gateway keeps nothing, and would linger for half a minute
    status) for name in mon osd rgw; do if is_up $name; then echo "$name is up"; else echo "$name is down"; fi; done ;;
    *) echo "usage: ceph-node start|stop|status" >&2; exit 2 ;;
esac
