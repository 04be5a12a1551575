package cli

import "github.com/spf13/cobra"

const environmentHelp = `These variables say how qs works. Flags win over them.

  QS_ADAPTER          the engine's adapter: podman, docker or remote (the first that is here)
  QS_REMOTE_URL       where the server of QS_ADAPTER=remote is: https://HOST:PORT or unix:PATH
  QS_API_KEY          the key that this server lets in
  QS_RUNTIME          OCI runtime (the engine's default); podman or docker is as in QS_ADAPTER
  QS_IMAGE            image of a sandbox that names none (python:3.11-slim)
  QS_TIMEOUT_DEFAULT  idle timeout in seconds (300)
  QS_ROOT             whose sandboxes are whose, and caches (~/.quixand)
  QS_METADATA         JSON object of strings, added to every sandbox's metadata
  QS_AGENT            path of the agent binary
  QS_LOG_FORMAT       json: one JSON object per line of the log
  CONTAINER_HOST      Podman's socket, as Podman reads it
  DOCKER_HOST         Docker's daemon, as docker reads it; so is DOCKER_CONTEXT
  QS_DATA_PLANE       way to agents with Docker: socket or exec (found out)`

// helpTopics are pages of `qs help` that belong to no verb.
func helpTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesHelp},
		{Use: "environment", Short: "What the environment variables do", Long: environmentHelp},
	}
}

// newHelpCmd replaces cobra's, which calls an unknown topic a success.
func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND or TOPIC]",
		Short: "Help about a command or topic",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			parent, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range parent.Commands() {
				if !c.Hidden {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err == nil && len(rest) == 0 {
				return cmd.Help()
			}
			if cmd == nil {
				cmd = root
			}
			if len(rest) == 0 {
				rest = args
			}
			return unknownCommand(cmd, rest[0])
		},
	}
}
