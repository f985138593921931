package slurm

// noName is the label of what Slurm has no name for: a job without an account.
var noName = []byte("_none")

// restName is the label of those that have no series of their own.
const restName = "_other"

// label returns what to call a user, an account, a partition or a QOS.
func label(name []byte) []byte {
	switch string(name) {
	case "", "N/A", "(null)":
		return noName
	}
	return name
}

// snakeCase appends s to to in lower case, with an underscore between its words and in place of what is neither a
// letter nor a digit: "AssocGrpCPURunMinutesLimit" is "assoc_grp_cpu_run_minutes_limit".
func snakeCase(to, s []byte) []byte {
	begin := len(to)
	for i, c := range s {
		switch {
		case isUpper(c):
			afterLower := i > 0 && (isLower(s[i-1]) || isDigit(s[i-1]))
			endsCapitals := i > 0 && isUpper(s[i-1]) && i+1 < len(s) && isLower(s[i+1])
			if afterLower || endsCapitals {
				to = underscore(to, begin)
			}
			to = append(to, c-'A'+'a')
		case isLower(c), isDigit(c):
			to = append(to, c)
		default:
			to = underscore(to, begin)
		}
	}
	if len(to) > begin && to[len(to)-1] == '_' {
		to = to[:len(to)-1]
	}
	return to
}

// underscore appends one, unless one is there or nothing comes before it.
func underscore(to []byte, begin int) []byte {
	if len(to) == begin || to[len(to)-1] == '_' {
		return to
	}
	return append(to, '_')
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
