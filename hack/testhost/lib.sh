# shellcheck shell=bash
# What the scripts of hack/ share. Sourced, never run.

# say prints a line of progress; stdout belongs to the command being run.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die says what happened and, from the second argument on, what helps.
die() {
	say "$1"
	shift
	(($# == 0)) || printf '  try: %s\n' "$@" >&2
	exit 1
}

# usage prints the comment block at the top of the calling script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# debian_mirror prints the mirror that this machine's apt already uses; it
# serves every release of Debian.
debian_mirror() {
	# shellcheck disable=SC2016 # apt's variables
	: "${QS_DEBIAN_MIRROR:=$(apt-get indextargets --format '$(REPO_URI)' \
		'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)}"
	[[ $QS_DEBIAN_MIRROR ]] || die "this machine's apt names no Debian mirror" \
		"apt-get update, on Debian" \
		"QS_DEBIAN_MIRROR=http://deb.debian.org/debian, or one near you"
	printf '%s\n' "$QS_DEBIAN_MIRROR"
}

# debian_tree SUITE PACKAGES TARGET [OPTION...] builds a small Debian tree or tar: no
# documentation, no translations, no package lists.
debian_tree() {
	local suite=$1 packages=$2 target=$3 mirror log status=0
	local -a aptopts guard=()
	shift 3
	# A build that is killed must leave neither a mount nor a process that goes
	# on writing; an unprivileged mmdebstrap sees to the mounts itself.
	((EUID != 0)) || guard=(setpriv --pdeathsig KILL unshare --mount --mount-proc --pid --fork --kill-child)
	mirror=$(debian_mirror)
	# The machine's own settings hold for its mirror: proxies, and whether the
	# mirror is a snapshot whose release files have expired.
	mapfile -t aptopts < <(apt-config dump 2>/dev/null |
		sed -nE 's/^(Acquire::(Check-Valid-Until|https?::Proxy) ".*";)$/--aptopt=\1/p')
	log=$(mktemp)
	"${guard[@]}" mmdebstrap --variant=minbase --include="$packages" "${aptopts[@]}" "$@" \
		--aptopt='Acquire::Retries "3"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		"$suite" "$target" "$mirror" >"$log" 2>&1 || { tail -n 20 "$log" >&2 && status=1; }
	rm "$log"
	return "$status"
}

# need COMMAND PACKAGE... installs what a bare Debian machine lacks.
need() {
	local command=$1
	shift
	command -v "$command" >/dev/null && return
	((EUID == 0)) || die "$command is not installed" "sudo apt-get install $*" "sudo dnf install $*"
	say "installing $*"
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$@"; } >/dev/null ||
		die "apt-get could not install $*" "apt-get update && apt-get install $*"
}

# forward CMD... runs a command as a child and hands on the signals that this
# script gets, so that ending a script ends what it runs. As a background child
# CMD ignores INT and QUIT, and HUP under nohup; env --default-signal gives them back.
forward() {
	local child status signal handed=1
	"$@" <&0 &
	child=$!
	for signal in HUP INT QUIT TERM; do
		# shellcheck disable=SC2064 # the values of now
		trap "handed=1; hand_on $signal $child" "$signal"
	done
	# A signal cuts wait short, so ask again.
	while ((handed)); do
		handed=0 status=0
		wait "$child" 2>/dev/null || status=$?
	done
	trap - HUP INT QUIT TERM
	return "$status"
}

# hand_on SIGNAL PID: nsenter and unshare wait outside for their only child and hand
# nothing on, so that child is meant. A terminal's own INT and QUIT reach the whole
# foreground group; a second one would be a second Ctrl-C.
hand_on() {
	local signal=$1 pid=$2 inner=
	if [[ $signal == INT || $signal == QUIT ]] && { : </dev/tty; } 2>/dev/null; then return 0; fi
	[[ $(cat "/proc/$pid/comm" 2>/dev/null) == @(nsenter|unshare) ]] &&
		inner=$(cat "/proc/$pid/task/$pid/children")
	# shellcheck disable=SC2086 # a list of numbers
	kill -s "$signal" ${inner:-$pid} 2>/dev/null || true
}
