package grafana

// partitionTable is a line for each partition.
func partitionTable(partition string, width int) panel {
	p := "$cluster.partition." + partition + "."
	return table("Partitions, now", "A share is of all that the partition has, on nodes that take no work too.", width, "partition",
		column{name: "state", target: p + "up", words: upDown},
		column{name: "running", target: p + "jobs.running", unit: count},
		column{name: "pending", target: p + "jobs.pending", unit: count},
		column{name: "nodes", target: p + "nodes.total", unit: count},
		column{name: "CPUs in use", target: shares(p+"cpus.alloc", p+"cpus.total", 2), unit: percent, most: 100},
		column{name: "GPUs in use", target: shares(p+"gpus.alloc", p+"gpus.total", 2), unit: percent, most: 100},
		column{name: "memory in use", target: shares(p+"mem.alloc_bytes", p+"mem.total_bytes", 2), unit: percent, most: 100},
	)
}

// partitions compares the chosen partitions, and shows each.
func partitions() Dashboard {
	const p = "$cluster.partition.$partition."
	return Dashboard{
		Name: "partitions", title: "partitions", about: "The chosen partitions side by side, then each by itself. A node that is in two partitions counts in both.",
		vars: []variable{clusters, byName("partition", "Partition")},
		rows: []row{
			{title: "Side by side", height: 10, panels: []panel{
				partitionStates("Nodes by state, now", "$partition", 10),
				partitionTable("$partition", 14),
			}},
			{title: "Over time", height: 8, panels: []panel{
				chart("Running jobs", "A job that asked for several partitions counts in the one it runs in.", 12, count, by(p+"jobs.running", 2)).listed(),
				chart("Pending jobs", "A job that asks for several partitions counts once in each.", 12, count, by(p+"jobs.pending", 2)).listed(),
				chart("CPUs in use", "CPUs allocated to jobs, of all that the partition has.", 12, percent, by(shares(p+"cpus.alloc", p+"cpus.total", 2), 2)).upTo(100).listed(),
				chart("GPUs in use", "GPUs allocated to jobs, of all that the partition has. Partitions without GPUs have no line.", 12, percent, by(shares(p+"gpus.alloc", p+"gpus.total", 2), 2)).upTo(100).listed(),
			}},
			{title: "$partition", repeat: "partition", height: 8, panels: []panel{
				nodeStates("Nodes of $partition by state", p, 8),
				jobs("Jobs of $partition", p, 8),
				reasons("Why jobs of $partition wait", p, 6, 8),
				resource("CPUs of $partition", p, "cpus", "other", 8),
				resource("GPUs of $partition", p, "gpus", "unavail", 8),
				memory("Memory of $partition", p, 8),
			}},
		},
	}
}
