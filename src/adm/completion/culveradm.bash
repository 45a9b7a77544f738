# bash completion for culveradm
_culveradm() {
	local cur=${COMP_WORDS[COMP_CWORD]} words i
	local first="reload stop log service who kick config user auth pw sieve mailbox acl fetch search expunge flags save index scrub filter queue recipient quota force-resync adopt release help"
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | -o | -f) ((i++)) ;;
		-*) ;;
		*) break ;;
		esac
	done
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | -F) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	-f) if ((i >= COMP_CWORD)); then COMPREPLY=($(compgen -W "flow tab table pager json" -- "$cur")); return; fi ;;
	esac
	if ((i >= COMP_CWORD)); then
		case $cur in
		-*) words="-c -o -f -v -D -h" ;;
		*) words=$first ;;
		esac
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		return
	fi
	if ((i == COMP_CWORD - 1)); then
		case ${COMP_WORDS[i]} in
		log) words="errors" ;;
		service) words="status" ;;
		auth) words="test cache" ;;
		acl) words="get set add remove delete rights debug recalc" ;;
		mailbox) words="list status create delete rename subscribe unsubscribe metadata" ;;
		index) words="verify rebuild compact stats -u -A -F" ;;
		scrub) words="--repair -u -A -F" ;;
		filter) words="why check replay" ;;
		queue) words="list flush delete" ;;
		quota) words="get recalc" ;;
		recipient) words="-c -f" ;;
		flags) words="add remove replace" ;;
		help) words=$first ;;
		sieve) words="test compile" ;;
		who) words="-1" ;;
		*) words="-u -A -F" ;;
		esac
	elif [ "${COMP_WORDS[i]}" = sieve ] || [ "${COMP_WORDS[i + 1]}" = check ]; then
		COMPREPLY=($(compgen -f -- "$cur"))
		return
	elif [ "${COMP_WORDS[i]}" = recipient ]; then
		words="-c -f"
	else
		words="-u -A -F"
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _culveradm culveradm
