# shellcheck shell=bash
# Shared by test/all, test/demo and test/bench/run: finds or installs what is
# needed, builds the extension outside the checkout, and keeps private clusters.
#
# PostgreSQL refuses to run as root. So everything but the installation of
# packages and `make install` runs as $DMP_USER: the caller, or for root the
# user "postgres". As that user may not be able to read the checkout, the
# sources are copied to $DMP_BUILD, which belongs to it and is kept: make then
# compiles only what changed.

set -u -o pipefail
# PostgreSQL's test library takes LC_ALL away, and LANG decides the encoding then
LANG=C.UTF-8 LC_ALL=C.UTF-8
export LANG LC_ALL

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
started=$SECONDS

# the gate: warnings are errors. -Wshadow=compatible-local is known to gcc alone.
# shellcheck disable=SC2034
gate_flags="-Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers"

say()
{
	printf '[%3d s] %s\n' $((SECONDS - started)) "$*"
}

die()
{
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# as_root command...: runs it with the rights that installing needs
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif have sudo; then
		sudo "$@"
	else
		die "\"$*\" needs root, and there is no sudo"
	fi
}

# as_user command...: runs it as the user that builds and tests
as_user()
{
	if [ "$(id -un)" = "$DMP_USER" ]; then
		"$@"
	else
		HOME=$DMP_BUILD runuser -u "$DMP_USER" -- "$@"
	fi
}

# Sets PG_CONFIG to a server of version 15 or newer with its development files,
# if there is one: the one asked for, the newest of Debian's folders, the path's.
find_postgres()
{
	local candidate candidates
	if [ -n "${PG_CONFIG:-}" ]; then
		candidates=$(command -v "$PG_CONFIG") || die "PG_CONFIG=$PG_CONFIG does not exist"
	else
		candidates=$(
			find /usr/lib/postgresql -path '*/bin/pg_config' 2>/dev/null | sort -rV
			command -v pg_config
		)
	fi
	for candidate in $candidates; do
		[ -x "$("$candidate" --bindir)/initdb" ] || continue
		[ -f "$("$candidate" --pgxs)" ] || continue
		[ -f "$("$candidate" --includedir-server)/postgres.h" ] || continue
		[ "$("$candidate" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')" -ge 15 ] || continue
		PG_CONFIG=$candidate
		return 0
	done
	[ -z "${PG_CONFIG:-}" ] || die "PG_CONFIG=$PG_CONFIG is no PostgreSQL 15 or newer with server and development files"
	return 1
}

# need_packages build|test: prints the Debian packages that are missing
missing_packages()
{
	local version
	have make || echo make
	have gcc || echo gcc
	have perl || echo perl
	[ -e /usr/include/stdlib.h ] || echo libc6-dev
	have git || [ "$1" = build ] || echo git
	if ! find_postgres; then
		version=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -1)
		echo "postgresql-${version:-15} postgresql-server-dev-${version:-15}"
	fi
	if [ "$1" = test ]; then
		have clang || echo clang
		have clang-format || echo clang-format
		have cppcheck || echo cppcheck
		have nm || echo binutils
		perl -MIPC::Run -e 1 2>/dev/null || echo libipc-run-perl
		perl -MTest::More -MTAP::Harness -e 1 2>/dev/null || echo perl-modules
		have shellcheck || echo shellcheck
		have codespell || echo codespell
	fi
}

# need build|test: installs what is missing. The server's package would also
# make and start a system cluster; nobody asked for one, so it is told not to.
need()
{
	local packages conf=/etc/postgresql-common/createcluster.d/dmp-test.conf made_conf=
	packages=$(missing_packages "$1" | tr '\n' ' ')
	if [ -n "${packages// /}" ]; then
		have apt-get || die "please install: $packages"
		say "installing packages: $packages"
		as_root apt-get -qq update </dev/null || say "apt-get update failed; trying with the lists there are"
		packages=$(missing_packages "$1" | tr '\n' ' ')
		if [ ! -e "$conf" ] && [[ $packages == *postgresql-* ]]; then
			as_root mkdir -p "$(dirname "$conf")"
			echo "create_main_cluster = false" | as_root tee "$conf" >/dev/null
			made_conf=1
		fi
		# shellcheck disable=SC2086
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
			install --no-install-recommends $packages </dev/null >"/tmp/dmp-apt.$$" 2>&1
		status=$?
		[ -z "$made_conf" ] || as_root rm -f "$conf"
		[ $status = 0 ] || { cat "/tmp/dmp-apt.$$"; rm -f "/tmp/dmp-apt.$$"; die "could not install: $packages"; }
		rm -f "/tmp/dmp-apt.$$"
	fi
	find_postgres || die "found no PostgreSQL 15 or newer with its development files"
	export PG_CONFIG
	bindir=$("$PG_CONFIG" --bindir)
	PATH=$bindir:$PATH

	if [ "$(id -u)" != 0 ]; then
		DMP_USER=$(id -un)
	elif id postgres >/dev/null 2>&1; then
		DMP_USER=postgres
	else
		DMP_USER=nobody
	fi
	DMP_BUILD=/tmp/dmp-build.$DMP_USER.$(printf '%s %s' "$top" "$PG_CONFIG" | cksum | cut -d' ' -f1)
	own_folder "$DMP_BUILD"
	cd / || exit 1 # a folder that $DMP_USER may be in
}

# own_folder path: makes it for $DMP_USER; refuses one that somebody else laid there
own_folder()
{
	if [ ! -e "$1" ] && [ ! -L "$1" ]; then
		mkdir -m 700 "$1" || die "could not make $1"
		[ "$(id -un)" = "$DMP_USER" ] || chown "$DMP_USER:" "$1"
	fi
	{ [ -d "$1" ] && [ ! -L "$1" ] && [ "$(stat -c %U "$1")" = "$DMP_USER" ]; } ||
		die "$1 exists and does not belong to $DMP_USER"
}

# alone folder: this script has the folder for itself until it ends
alone()
{
	exec 8<"$1"
	flock -n 8 || die "another run works in $1"
}

# The files of the project: what git knows or would add, or the folder as it is.
# Times are kept, so that make sees what changed.
project_files()
{
	if git -c safe.directory="$top" -C "$top" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git -c safe.directory="$top" -C "$top" ls-files -co --exclude-standard |
			while IFS= read -r file; do [ ! -e "$top/$file" ] || printf '%s\n' "$file"; done
	else
		(cd "$top" && find . -type f \! -path './.git/*' \! -name '*.o' \! -name '*.bc' \
			\! -name '*.so' \! -name 'dmp--*.sql' | sed 's,^\./,,')
	fi
}

# Copies the sources to $DMP_BUILD; files that are gone here go there too.
copy_sources()
{
	project_files | sort >"/tmp/dmp-files.$$"
	chmod 644 "/tmp/dmp-files.$$"
	if [ -f "$DMP_BUILD/.files" ]; then
		comm -23 "$DMP_BUILD/.files" "/tmp/dmp-files.$$" |
			while IFS= read -r file; do as_user rm -f "$DMP_BUILD/$file" "$DMP_BUILD/${file%.c}.o"; done
	fi
	tar -C "$top" -cf - -T "/tmp/dmp-files.$$" |
		as_user tar -C "$DMP_BUILD" --no-same-owner -xpf - || die "could not copy the sources to $DMP_BUILD"
	as_user cp "/tmp/dmp-files.$$" "$DMP_BUILD/.files"
	rm -f "/tmp/dmp-files.$$"
}

# build [flags]: compiles the copy, from the start when the flags or the makefile
# changed. Without bitcode for the server's JIT, which the tests do not look at and
# which would double the time.
build()
{
	local makefile flags="$*"
	makefile=$(cksum <"$DMP_BUILD/Makefile")
	if [ "$(cat "$DMP_BUILD/.flags" "$DMP_BUILD/.makefile" 2>/dev/null)" != "$flags"$'\n'"$makefile" ]; then
		as_user find "$DMP_BUILD/src" -name '*.o' -delete
		as_user sh -c "rm -f '$DMP_BUILD'/dmp.so '$DMP_BUILD'/dmp--*.sql"
		echo "$flags" | as_user tee "$DMP_BUILD/.flags" >/dev/null
		echo "$makefile" | as_user tee "$DMP_BUILD/.makefile" >/dev/null
	fi
	as_user make -s -C "$DMP_BUILD" -j"$(nproc)" with_llvm=no COPT="$flags" PG_CONFIG="$PG_CONFIG" </dev/null
}

# For who only wants to use it: what test/all left is taken when it differs in
# warnings alone.
build_for_use()
{
	local flags
	flags=$(cat "$DMP_BUILD/.flags" 2>/dev/null)
	[ -z "$(sed 's/-W[^ ]*//g; s/ //g' <<<"$flags")" ] && [ -n "$flags" ] && build "$flags" 2>/dev/null || build
}

# Installs the built files where the server looks for them.
install_extension()
{
	local run=as_root
	[ ! -w "$("$PG_CONFIG" --pkglibdir)" ] || [ ! -w "$("$PG_CONFIG" --sharedir)/extension" ] || run="env"
	$run make -s -C "$DMP_BUILD" with_llvm=no PG_CONFIG="$PG_CONFIG" install </dev/null >/dev/null
}

# start_cluster folder [setting...]: a cluster in folder/data that listens only
# on a socket in the folder; user postgres, trust. Faster than safe: its data
# are made up.
start_cluster()
{
	local folder=$1 setting
	shift
	if [ ! -d "$folder/data" ]; then
		as_user "$bindir/initdb" -D "$folder/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 -N \
			>"/tmp/dmp-initdb.$$" 2>&1 || { cat "/tmp/dmp-initdb.$$"; die "initdb failed"; }
		rm -f "/tmp/dmp-initdb.$$"
		for setting in "listen_addresses = ''" "unix_socket_directories = '$folder'" \
			"unix_socket_permissions = 0777" "fsync = off" "max_wal_size = '4GB'" \
			"log_min_messages = warning" "max_prepared_transactions = 10" "$@"; do
			echo "$setting"
		done | as_user tee -a "$folder/data/postgresql.conf" >/dev/null
	fi
	as_user "$bindir/pg_ctl" -s -D "$folder/data" -l "$folder/log" -w start </dev/null 8<&- 9<&- || {
		tail -20 "$folder/log"
		die "the server did not start"
	}
}

stop_cluster()
{
	[ ! -f "$1/data/postmaster.pid" ] ||
		as_user "$bindir/pg_ctl" -s -D "$1/data" -m fast -w stop </dev/null
}
