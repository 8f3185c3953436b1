// completion bash|zsh|fish: each script asks the program itself what may follow, so it never falls behind the commands.
#include "services/ctl/commands/commands.h"

namespace peiling::ctl {
namespace {

// bash splits words at ':' and '='; the line itself is read instead, and what stands before the last of them is left out of the replies
// again.
constexpr char kBash[] = R"(# peilingctl completion for bash: source <(peilingctl completion bash)
_peilingctl() {
  local line=${COMP_LINE:0:COMP_POINT} current prefix reply
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${words[-1]}
  prefix=${current%"${current##*[:=]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r reply _; do
    if [[ $reply == :files ]]; then
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "${current#"$prefix"}")
      return
    fi
    COMPREPLY+=("${reply#"$prefix"}")
  done < <("${words[0]}" __complete "${words[@]:1}" 2> /dev/null)
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace
}
complete -F _peilingctl peilingctl
)";

constexpr char kZsh[] = R"(#compdef peilingctl
# peilingctl completion for zsh: source <(peilingctl completion zsh), or save it as _peilingctl in a folder of $fpath
_peilingctl() {
  local reply word
  local -a replies
  for reply in "${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2> /dev/null)}"; do
    [[ -z $reply ]] && continue
    if [[ $reply == :files ]]; then
      _files
      return
    fi
    word=${${reply%%$'\t'*}//:/\\:}
    [[ $reply == *$'\t'* ]] && word+=":${reply#*$'\t'}"
    replies+=("$word")
  done
  _describe 'peilingctl' replies
}
if [[ $funcstack[1] == _peilingctl ]]; then
  _peilingctl
else
  compdef _peilingctl peilingctl
fi
)";

constexpr char kFish[] = R"(# peilingctl completion for fish: peilingctl completion fish | source
function __peilingctl
    set -l words (commandline -opc)
    set -l replies ($words[1] __complete $words[2..-1] (commandline -ct) 2> /dev/null)
    if contains -- :files $replies
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $replies
    end
end
complete -c peilingctl -f -a '(__peilingctl)'
)";

}  // namespace

void AddCompletion(CommandLine& line) {
  CLI::App& group = line.AddGroup("completion", "Print a completion script for a shell");
  const auto add = [&](const std::string& shell, const std::string& example, const char* script) {
    line.AddCommand(group, {.name = shell, .description = "Completion for " + shell, .examples = example},
                    [script](Session& session) -> absl::StatusOr<ExitCode> {
                      session.output().Write(script);
                      return ExitCode::kOk;
                    });
  };
  add("bash",
      "  source <(peilingctl completion bash)                                  now\n"
      "  peilingctl completion bash > /etc/bash_completion.d/peilingctl        for ever",
      kBash);
  add("zsh",
      "  source <(peilingctl completion zsh)                                   now\n"
      "  peilingctl completion zsh > \"${fpath[1]}/_peilingctl\"                 for ever",
      kZsh);
  add("fish",
      "  peilingctl completion fish | source                                   now\n"
      "  peilingctl completion fish > ~/.config/fish/completions/peilingctl.fish",
      kFish);
}

}  // namespace peiling::ctl
