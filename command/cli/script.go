package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Shells lists the shells that CompletionScript knows.
var Shells = []string{"bash", "zsh", "fish"}

// CompletionScript gives the script that makes a shell complete the program's commands.
func CompletionScript(shell, program string) (string, error) {
	script, ok := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[shell]
	if !ok {
		return "", Usagef("there is no completion for %q; there is for %s", shell, strings.Join(Shells, ", "))
	}
	return strings.ReplaceAll(script, "PROGRAM", program), nil
}

const bashScript = `# bash completion for PROGRAM
_PROGRAM_complete() {
    local IFS=$'\n' line
    COMPREPLY=()
    while read -r line; do COMPREPLY+=("$line"); done < <("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _PROGRAM_complete PROGRAM
`

const zshScript = `#compdef PROGRAM
_PROGRAM_complete() {
    local -a candidates
    candidates=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    candidates=(${candidates:#})
    if (( ${#candidates} )); then
        compadd -- "${candidates[@]}"
    else
        _files
    fi
}
if (( ! $+functions[compdef] )); then autoload -U compinit && compinit; fi
compdef _PROGRAM_complete PROGRAM
`

const fishScript = `# fish completion for PROGRAM
function __PROGRAM_complete
    set -l words (commandline -opc) (commandline -ct)
    PROGRAM __complete -- $words[2..-1] 2>/dev/null
end
complete -c PROGRAM -a '(__PROGRAM_complete)'
`

// installCompletion adds the completion to the start-up files of the user's
// shells, or removes it.
func (p *Program) installCompletion(install bool) int {
	home := p.Getenv("HOME")
	if home == "" {
		fmt.Fprintln(p.Stderr, "Error: HOME is not set; run \"serai completion bash|zsh|fish\" and store what it prints")
		return CodeError
	}
	name := p.Root.Name
	lines := []struct{ file, line string }{
		{filepath.Join(home, ".bashrc"), "command -v " + name + " >/dev/null && source <(" + name + " completion bash)"},
		{filepath.Join(home, ".zshrc"), "command -v " + name + " >/dev/null && source <(" + name + " completion zsh)"},
		{filepath.Join(home, ".config", "fish", "config.fish"), "command -v " + name + " >/dev/null; and " + name + " completion fish | source"},
	}
	done := 0
	for _, l := range lines {
		changed, err := editStartFile(l.file, l.line, install)
		if err != nil {
			fmt.Fprintf(p.Stderr, "Error: %v\n", err)
			return CodeError
		}
		if changed {
			fmt.Fprintln(p.Stdout, l.file)
			done++
		}
	}
	if done == 0 {
		fmt.Fprintln(p.Stdout, "Nothing to change.")
	}
	return 0
}

// editStartFile adds a line to a shell's start-up file, or removes it. Files
// that do not exist are left alone: that shell is not used here.
func editStartFile(path, line string, add bool) (bool, error) {
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	has := strings.Contains("\n"+string(old), "\n"+line+"\n")
	if has == add {
		return false, nil
	}
	text := string(old)
	if add {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		text += line + "\n"
	} else {
		text = strings.TrimPrefix(strings.Replace("\n"+text, "\n"+line+"\n", "\n", 1), "\n")
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return true, os.WriteFile(path, []byte(text), info.Mode().Perm())
}
