// Command clusterload is the agent: it asks what the load of a cluster is and pushes it to databases.
package main

import (
	"os"

	"github.com/clusterload/clusterload/agent"
)

func main() { os.Exit(agent.Main(agent.Builtin())) }
