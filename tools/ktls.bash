# SPDX-License-Identifier: BSD-2-Clause
# ktls.bash: bash completion for ktls(1).

_ktls()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words='' files='' i

	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'run stat sysctl help --version --help' -- "$cur")
		return
	fi
	case ${COMP_WORDS[1]} in
	run)
		case $prev in
		-c | --cipher) words='auto ipsec-mb libcrypto' ;;
		-b | --backend) words='auto sw' ;;
		*)
			# The first word that is no option, nor an option's, is the command.
			for ((i = 2; i < COMP_CWORD; i++)); do
				case ${COMP_WORDS[i]} in
				-c | --cipher | -b | --backend) ((i++)) ;;
				--)
					((i++))
					break
					;;
				-*) ;;
				*) break ;;
				esac
			done
			if declare -F _command_offset >/dev/null &&
				{ [ "$i" -lt "$COMP_CWORD" ] || [[ $cur != -* ]]; }; then
				_command_offset "$i"
				return
			fi
			if [[ $cur == -* ]]; then
				words='--stats --stats= --cipher --backend --help --'
			else
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
				return
			fi
			;;
		esac
		;;
	stat)
		words='--json --raw --help'
		[[ $cur == -* ]] || files=yes
		;;
	sysctl)
		case $prev in
		-f | --file) files=yes ;;
		*)
			if [[ $cur == -* ]]; then
				words='--all --descriptions --values --file --help'
			else
				words=$("${COMP_WORDS[0]}" sysctl -ad 2>/dev/null |
					sed 's/:.*//')
			fi
			;;
		esac
		;;
	help) words='run stat sysctl help' ;;
	esac
	if [ -n "$files" ]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	fi
}
complete -F _ktls ktls
