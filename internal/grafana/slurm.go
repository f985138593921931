package grafana

// What several dashboards show of Slurm. Slurm counts a drained node as idle or down too; here each node is in one state
// alone, so that the states add up to the total: a node that is draining still works and stays allocated or mixed.

// nodeStates draws the states of the nodes below a prefix such as "$cluster." over time.
func nodeStates(title, prefix string, width int) panel {
	n := prefix + "nodes."
	return chart(title, "Each node once, by its state. Drained: takes no work, for any reason but being down.", width, count,
		named("allocated", n+"allocated"),
		named("mixed", n+"mixed"),
		named("idle", minus(plus(n+"{available,draining}"), n+"{allocated,mixed}")),
		named("drained", minus(n+"total", n+"{available,draining,down,error,unknown}")),
		named("down", plus(n+"{down,error}")),
		named("other", n+"unknown"),
	).stacked().coloured("allocated", "mixed", "idle", "drained", "down", "other")
}

// partitionStates shows the same of each partition as bars.
func partitionStates(title, partition string, width int) panel {
	n := "$cluster.partition." + partition + ".nodes."
	sums := func(template string) string { return call("applyByNode", n+"total", "2", "'"+template+"'", "'%'") }
	return bars(title, "Each node of a partition once, by its state.", width, "partition",
		column{name: "allocated", target: n + "allocated"},
		column{name: "mixed", target: n + "mixed"},
		column{name: "idle", target: sums(minus(plus("%.nodes.{available,draining}"), "%.nodes.{allocated,mixed}"))},
		column{name: "drained", target: sums(minus("%.nodes.total", "%.nodes.{available,draining,down,error,unknown}"))},
		column{name: "down", target: sums(plus("%.nodes.{down,error}"))},
	)
}

// resource draws how much of a resource is in use: "cpus" or "gpus". out is what its part on nodes that take no work is
// called.
func resource(title, prefix, name, out string, width int) panel {
	p := prefix + name + "."
	return chart(title, "Allocated to jobs, free, and on nodes that take no work.", width, count,
		named("allocated", p+"alloc"), named("idle", p+"idle"), named("not available", p+out),
	).stacked().coloured("allocated", "idle", "not available=drained")
}

// memory draws what is allocated to jobs and what the nodes use.
func memory(title, prefix string, width int) panel {
	p := prefix + "mem."
	return chart(title, "Allocated: promised to jobs. Used: what the nodes' kernels say is not free, where they say it.", width, bytes_,
		named("allocated", p+"alloc_bytes"), named("used", minus(p+"total_bytes", p+"free_bytes")), named("total", p+"total_bytes"),
	).coloured("allocated", "used=pending", "total=other")
}

// jobs draws running and pending jobs.
func jobs(title, prefix string, width int) panel {
	return chart(title, "Jobs in the queue, each task of an array one.", width, count,
		by(prefix+"jobs.{running,pending}", -1),
	).coloured("running", "pending")
}

// reasons draws why jobs wait. A reason's name is the given part of its path.
func reasons(title, prefix string, part, width int) panel {
	return chart(title, "Pending jobs by the reason that Slurm gives, the first where there are several.", width, count,
		by(prefix+"jobs.pending.reason.*.jobs", part)).stacked()
}
