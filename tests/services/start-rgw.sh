#!/usr/bin/env bash
# start-rgw.sh start|stop|wipe|status: a real S3 server for the tests, reachable from this machine only.
#
# Ceph's RADOS Gateway from Debian testing, in a chroot of its own: nothing is installed on the host but
# debootstrap. Needs root on a Debian-like system. The first start takes about a minute, later ones seconds.
#
#   HALLMARK_RGW_ROOT  the chroot; everything is in it, so deleting it removes all traces
#   HALLMARK_RGW_PORT  http on this port, https (self-signed, /srv/ceph/tls.crt in the chroot) on the next
set -euo pipefail
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${HALLMARK_RGW_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/hallmark-tests/ceph}
export HALLMARK_RGW_PORT=${HALLMARK_RGW_PORT:-7580}
log=$root.log  # of the installation; beside the chroot, because that is removed when it fails

install_quietly() {  # RUNNER...: apt-get install with no question and no daemon started
    DEBIAN_FRONTEND=noninteractive "$@" install -y -qq --no-install-recommends "${packages[@]}" >>"$log" 2>&1
}

bootstrap() {
    local script='' mirror packages=(debootstrap)
    mkdir -p "$(dirname "$root")"
    : >"$log"
    if ! command -v debootstrap >/dev/null; then
        apt-get update -qq >>"$log" 2>&1
        install_quietly apt-get
    fi
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -n 1)  # the one that this machine uses
    [ -e /usr/share/debootstrap/scripts/forky ] || script=sid          # an older debootstrap's nearest recipe
    unmount
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase forky "$root" "$mirror" $script >>"$log" 2>&1
}

populate() {
    local packages=(ceph-mon ceph-osd radosgw ceph-common openssl)
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"  # packages must not start their daemons
    chmod 755 "$root/usr/sbin/policy-rc.d"
    # A mirror may be older than the seven days for which a Release file of testing is valid. Its signature
    # is checked all the same.
    printf '%s\n' 'Acquire::Check-Valid-Until "false";' \
        'DPkg::Options {"--path-exclude=/usr/share/doc/*"; "--path-exclude=/usr/share/man/*"};' \
        >"$root/etc/apt/apt.conf.d/90tests"
    mount -t proc proc "$root/proc"  # some of the packages' scripts read it
    chroot "$root" apt-get update -qq >>"$log" 2>&1
    install_quietly chroot "$root" apt-get
    chroot "$root" apt-get clean
    rm -rf "$root"/var/lib/apt/lists/*
}

unmount() {
    if mountpoint -q "$root/proc"; then umount "$root/proc"; fi
}

install_once() {
    [ ! -e "$root/.complete" ] || return 0
    if ! { bootstrap && populate; }; then
        echo "start-rgw: the installation failed; the end of $log:" >&2
        tail -n 15 "$log" >&2
        exit 1
    fi
    touch "$root/.complete"
}

inside() {
    install -m 755 "$here/ceph-node.sh" "$root/usr/local/sbin/ceph-node"
    chroot "$root" /usr/local/sbin/ceph-node "$@"
}

case ${1:-} in
    start) install_once && inside start ;;
    stop | status) [ ! -e "$root/.complete" ] || inside "$1" ;;
    wipe) [ ! -e "$root/.complete" ] || { inside stop && rm -rf "$root/srv/ceph"; } ;;
    *) echo "usage: start-rgw.sh start|stop|wipe|status" >&2; exit 2 ;;
esac
