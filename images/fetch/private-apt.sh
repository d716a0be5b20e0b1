# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Sourced by the scripts in this folder: access to Debian's archive with a private apt
# configuration. It has the system's sources, including source packages, and keeps
# its lists and files below build/downloads/, so that it changes nothing in the system
# and needs no root. apt checks the signature of each list and the hash of each file.
#
# DEBIAN_RELEASE is the code name of another release of Debian (trixie), and
# DEBIAN_ARCH another architecture (arm64), to fetch files of. The mirrors are those
# of this system's release.

top=$(cd "$(dirname "$0")/../.." && pwd)
me=images/fetch/$(basename "$0")
downloads=$top/build/downloads
apt_dir=$downloads/apt${DEBIAN_RELEASE:+-$DEBIAN_RELEASE}${DEBIAN_ARCH:+-$DEBIAN_ARCH}
archive=$downloads/archive

fail() {
    echo "$me: $*" >&2
    exit 1
}

# skip_if_gone LOG: exits with status 77 if the log ends with apt's failure to fetch a
# package that the server's index lists.
skip_if_gone() {
    gone=$(tail -n 40 "$1" |
        sed -nE 's/^(E|Error): Failed to fetch [^ ]*\/([^ ]+)  *404 .*/\2/p' |
        head -n 1)
    if [ -n "$gone" ] && ! grep -q '^Result: FAIL' "$1"; then
        echo "$me: SKIPPED: Debian's server does not have $gone," \
            "which its index lists"
        exit 77
    fi
}

# Locks the downloads for the rest of the script.
lock_downloads() {
    mkdir -p "$downloads"
    exec 9>"$downloads/lock"
    flock 9
}

# sources_of_release FOLDER: removes sources that are not for this system's release,
# and changes the others to DEBIAN_RELEASE, adding its backports. apt takes a package
# from backports only if that version is requested, or if there is no other.
sources_of_release() {
    ours=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    [ -n "$ours" ] || fail "/etc/os-release does not name Debian's release"
    for file in "$1"/*; do
        if grep -q "^deb.* $ours\|^Suites:.* $ours" "$file"; then
            sed -i "/^deb\|^Suites:/s/ $ours/ $DEBIAN_RELEASE/g" "$file"
            one=" $DEBIAN_RELEASE"
            sed -i -e "/^Suites:/s/$one\( \|\$\)/$one$one-backports\1/" \
                -e "/^deb.*$one /{p;s/$one /$one-backports /;}" "$file"
        else
            rm -f "$file"
        fi
    done
}

# Writes the configuration again, as the system's sources may have changed.
private_apt_configure() {
    rm -rf "$apt_dir/parts"
    mkdir -p "$apt_dir/parts" "$apt_dir/lists/partial" \
        "$apt_dir/cache/archives/partial" "$archive"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -n -e '/cdrom:/d' -e 's/^[[:space:]]*deb[[:space:]]/deb /' \
            -e '/^deb /{p;s/^deb /deb-src /;p;}' \
            "$file" >"$apt_dir/parts/${file##*/}"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        sed 's/^[Tt]ypes:.*/Types: deb deb-src/' \
            "$file" >"$apt_dir/parts/${file##*/}"
    done
    [ -z "${DEBIAN_RELEASE-}" ] || sources_of_release "$apt_dir/parts"
    : >"$apt_dir/status"
    # Clear the system's hooks, which are for the system's lists.
    cat >"$apt_dir/apt.conf" <<CONF
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$apt_dir/parts";
Dir::State::Lists "$apt_dir/lists";
Dir::Cache "$apt_dir/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
    # The packages installed here do not count for another release or architecture.
    [ -z "${DEBIAN_ARCH-}${DEBIAN_RELEASE-}" ] ||
        echo "Dir::State::status \"$apt_dir/status\";" >>"$apt_dir/apt.conf"
    [ -z "${DEBIAN_ARCH-}" ] || cat >>"$apt_dir/apt.conf" <<CONF
APT::Architecture "$DEBIAN_ARCH";
#clear APT::Architectures;
APT::Architectures:: "$DEBIAN_ARCH";
CONF
}

# Runs apt-get with that configuration; it downloads to $archive.
private_apt() (
    cd "$archive" && apt-get -q -c "$apt_dir/apt.conf" "$@"
)

# Runs apt-cache with that configuration.
private_apt_cache() {
    apt-cache -c "$apt_dir/apt.conf" "$@"
}

# Fetches the lists if they are older than a day.
private_apt_lists() {
    private_apt_configure
    if [ -z "$(find "$apt_dir/updated" -mtime -1 2>/dev/null)" ]; then
        private_apt_update
    fi
}

# Fetches the lists. Errors are ignored, as not all of the system's sources are needed.
private_apt_update() {
    private_apt update >"$apt_dir/log" 2>&1 || true
    touch "$apt_dir/updated"
}

# private_apt_get WHAT COMMAND...: runs an apt-get command in the archive folder; if it
# fails, runs it again with new lists.
private_apt_get() {
    what=$1
    shift
    private_apt_configure
    log=$apt_dir/log
    if [ -e "$apt_dir/updated" ] && private_apt "$@" >"$log" 2>&1; then
        return
    fi
    private_apt_update
    private_apt "$@" >>"$log" 2>&1 || {
        cat "$log" >&2
        fail "apt cannot get $what (see above). If Debian now has a newer" \
            "version than is installed here, run images/fetch/setup --upgrade"
    }
}
