# For scripts of bash that try something on a bare Debian: a new machine is a folder, entered by chroot.
#
# Mounts and processes are in namespaces that end with the command, and the folder goes at the end,
# whatever happens. The network is the machine's own, so its proxies and the certificates that were
# added to it are handed on, and Debian's services are not started: their ports may be taken.
#
# Needs root, mmdebstrap and a Debian mirror (MIRROR=...); or BARE=FILE.tar, where what it would make
# is already.

machine_fail() {
    echo "${0##*/}: $*" >&2
    exit 2
}

# machine_area SUITE: checks what is needed, and sets `area`, a folder that goes with the script.
machine_area() {
    case $1 in
        bookworm | trixie) ;;
        *) machine_fail "'$1' is no suite: bookworm or trixie" ;;
    esac
    [ "$(id -u)" -eq 0 ] || machine_fail "a bare Debian is made and entered by root only"
    [ -n "${BARE:-}" ] || command -v mmdebstrap > /dev/null || machine_fail "there is no mmdebstrap: apt-get install mmdebstrap"
    area=$(mktemp -d "${TMPDIR:-/tmp}/highwater-${0##*/}-XXXXXX")
    unset TMPDIR # which is nowhere in there, and a chroot hands it on
    # Not in a subshell, whose end is not the script's.
    trap '[ "$BASHPID" -ne $$ ] || { machine_halt; rm -rf --one-file-system "$area"; }' EXIT
    trap 'exit 130' INT TERM HUP
    chmod 755 "$area" # for those who are not root in there
}

# machine_make SUITE FOLDER [PACKAGE...]: with git, make, certificates and these, and nothing else.
machine_make() {
    local suite=$1 root=$2 options=() proxy value
    shift 2
    if [ -n "${BARE:-}" ]; then
        mkdir "$root"
        tar -C "$root" -xf "$BARE"
    else
        for proxy in Acquire::http::Proxy Acquire::https::Proxy; do
            value=$(apt-config dump --format '%v' "$proxy" 2> /dev/null)
            [ -z "$value" ] || options+=("--aptopt=$proxy \"$value\"")
        done
        mmdebstrap --quiet --variant=minbase --include="$(IFS=,; echo "git,make,ca-certificates${*:+,$*}")" "${options[@]}" \
            "$suite" "$root" ${MIRROR:+"$MIRROR"}
    fi
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2> /dev/null || true
    chroot "$root" update-ca-certificates > "$root.log" 2>&1 || { cat "$root.log" >&2; return 1; }
    printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

# machine_enter FOLDER USER COMMAND [ARGUMENT...]: when its first process ends, so does all that is in there.
# NAME=VALUE... before the command sets variables; there are no others but those that a login has.
machine_enter() {
    local root=$1 user=$2
    shift 2
    unshare --mount --pid --fork --kill-child bash -euc '
        root=$1 user=$2
        shift 2
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        home=$(chroot "$root" sh -c "getent passwd $user | cut -d: -f6")
        exec chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups \
            env -i HOME="$home" USER="$user" LANG=C.UTF-8 TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$@"
    ' enter "$root" "$user" "$@" < /dev/null
}

# machine_boot FOLDER: with its own systemd as its first process, its services, and no network but its own loopback. It
# needs systemd in the folder, and systemd-container here. FOLDER.log has what it says.
machine_boot() {
    local root=$1 alone=()
    rm -f "$root/usr/sbin/policy-rc.d"
    # Where no systemd runs, nobody is to be asked for a place among its units.
    [ -d /run/systemd/system ] || alone=(--register=no --keep-unit)
    systemd-nspawn --quiet --directory="$root" --boot --private-network --console=pipe "${alone[@]}" \
        < /dev/null >> "$root.log" 2>&1 &
    machine_nspawn=$!
    # "degraded" has booted, too: whatever found no hardware for itself is not our business.
    until machine_first=$(pgrep --parent "$machine_nspawn" --exact systemd) &&
        (machine_in systemctl --wait is-system-running 2> /dev/null || true) | grep -qE '^(running|degraded)'; do
        kill -0 "$machine_nspawn" 2> /dev/null || { cat "$root.log" >&2; return 1; }
        sleep 0.2
    done
}

# machine_in COMMAND [ARGUMENT...]: in the one that was booted.
machine_in() {
    nsenter --target "$machine_first" --mount --uts --ipc --net --pid --cgroup \
        env -i HOME=/root LANG=C.UTF-8 TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" < /dev/null
}

# Shuts it down, as with its button.
machine_halt() {
    [ -n "${machine_nspawn:-}" ] || return 0
    kill -TERM "$machine_nspawn" 2> /dev/null || true
    wait "$machine_nspawn" 2> /dev/null || true
    machine_nspawn=
}
