# shellcheck shell=bash
# files [pattern ...]: the project's files (glob patterns of git), one a line.
# In the copy that test/all makes there is no git, but the list it was made from.
files()
{
	if [ -f .files ]; then
		local patterns=() pattern
		for pattern in "${@:-*}"; do
			patterns+=(-e "^$(sed 's/[.]/\\./g; s/\*/.*/g' <<<"$pattern")\$")
		done
		grep "${patterns[@]}" .files
	else
		git ls-files -co --exclude-standard -- "$@" | while IFS= read -r f; do [ ! -f "$f" ] || echo "$f"; done
	fi
}
