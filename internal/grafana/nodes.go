package grafana

// nodes shows the nodes together, and, where the agent sends them, one by one.
func nodes() Dashboard {
	const c, n = "$cluster.", "$cluster.node.$node."
	return Dashboard{
		Name: "nodes", title: "nodes",
		about: "All nodes by state and flag, then each of the chosen ones. Series of single nodes are off unless the agent is told `nodes = true` in [aggregator.slurm]: without them the rows below \"Each node\" show no data.",
		vars:  []variable{clusters, byName("node", "Node")},
		rows: []row{
			{title: "All nodes", height: 4, panels: []panel{
				figure("Nodes", "Nodes that Slurm lists, future ones not among them.", 4, count, plain, c+"nodes.total"),
				figure("Available", "Nodes that slurmctld may start jobs on, now or once what is on them has ended.", 4, count, plain, c+"nodes.available"),
				figure("Draining", "Nodes that take no new work and still have some.", 4, count, faults, c+"nodes.draining"),
				figure("Drained", "Nodes that take no new work and have none, those that are down too among them.", 4, count, faults, c+"nodes.drained"),
				figure("Down", "Nodes that are down or in error.", 4, count, faults, plus(c+"nodes.{down,error}")),
				figure("Load per CPU", "Load averages of the nodes that report theirs, over all CPUs. 1: as many runnable threads as CPUs.", 4, count, plain, call("divideSeries", c+"cpus.load", c+"cpus.total")),
			}},
			{title: "Over time", height: 8, panels: []panel{
				nodeStates("Nodes by state", c, 12),
				chart("Nodes by flag", "A node may have several flags, whatever its state.", 12, count, by(c+"nodes.flag.*", 3)).listed(),
			}},
			{title: "Each node: $node", height: 14, panels: []panel{
				timeline("State of each node", "One line a node, of at most 200.", 24, nodeCodes,
					by(call("consolidateBy", call("limit", call("sortByName", n+"state_code", "true"), "200"), "'max'"), 2)),
			}},
			{title: "In use", height: 9, panels: []panel{
				chart("CPUs allocated", "CPUs of the node that are allocated to jobs; the 50 nodes with the most.", 12, count, top(50, by(n+"cpus_alloc", 2))).listed(),
				chart("Load", "Load average of the node, where it reports it; the 50 nodes with the highest.", 12, count, top(50, by(n+"load", 2))).listed(),
				chart("Memory allocated", "Memory of the node that is allocated to jobs; the 50 nodes with the most.", 12, bytes_, top(50, by(n+"mem_alloc_bytes", 2))).listed(),
				chart("GPUs allocated", "GPUs of the node that are allocated to jobs; the 50 nodes with the most.", 12, count, top(50, by(n+"gpus_alloc", 2))).listed(),
			}},
		},
	}
}
