package grafana

// cluster says whether the cluster is well now.
func cluster() Dashboard {
	const c = "$cluster."
	return Dashboard{
		Name: "cluster", title: "cluster", about: "Is the cluster well now? Jobs, nodes, what is in use, why jobs wait, and whether slurmctld answers.",
		vars: []variable{clusters},
		rows: []row{
			{title: "Now", height: 4, panels: []panel{
				figure("Running jobs", "Jobs that run, each task of an array one.", 4, count, plain, c+"jobs.running"),
				figure("Pending jobs", "Jobs that wait, each task of an array one.", 4, count, plain, c+"jobs.pending"),
				figure("CPUs in use", "CPUs allocated to jobs, of all.", 3, percent, used, share(c+"cpus.alloc", c+"cpus.total")).upTo(100),
				figure("GPUs in use", "GPUs allocated to jobs, of all. No data: the cluster has none.", 3, percent, used, share(c+"gpus.alloc", c+"gpus.total")).upTo(100),
				figure("Memory in use", "Memory allocated to jobs, of all.", 3, percent, used, share(c+"mem.alloc_bytes", c+"mem.total_bytes")).upTo(100),
				figure("Nodes out of work", "Nodes that are drained, down, or for another reason not available.", 3, count, faults, minus(c+"nodes.total", c+"nodes.{available,draining}")),
				state("Slurm answers", "Whether the last call of each of Slurm's commands succeeded. Where it failed nothing is known: the other panels then show no data, not zero.", 4, yesNo,
					c+"agent.command.*.ok", 3),
			}},
			{title: "Over time", height: 8, panels: []panel{
				jobs("Jobs", c, 12),
				nodeStates("Nodes by state", c, 12),
				resource("CPUs", c, "cpus", "other", 8),
				resource("GPUs", c, "gpus", "unavail", 8),
				memory("Memory", c, 8),
			}},
			{title: "Partitions", height: 10, panels: []panel{
				partitionStates("Nodes of each partition by state, now", "*", 12),
				partitionTable("*", 12),
			}},
			{title: "Why jobs wait", height: 9, panels: []panel{
				reasons("Pending jobs by reason", c, 4, 12),
				chart("Pending jobs by class of reason", "The reasons in eight classes: what the cluster lacks, what limits forbid, what users hold back.", 6, count,
					by(c+"jobs.pending.class.*", 4)).stacked(),
				ranking("CPUs asked for, by reason", "CPUs that pending jobs ask for, by the reason why they wait.", 6, count, 10, c+"jobs.pending.reason.*.cpus", 4),
			}},
			{title: "Who uses it", height: 9, panels: []panel{
				ranking("Accounts: CPUs held", "The ten accounts whose jobs hold the most CPUs now.", 6, count, 10, c+"account.*.jobs.cpus.running", 2),
				ranking("Users: CPUs held", "The ten users whose jobs hold the most CPUs now; _other is all that have no series of their own.", 6, count, 10, c+"user.*.jobs.cpus.running", 2),
				ranking("Users: jobs that wait", "The ten users with the most pending jobs now.", 6, count, 10, c+"user.*.jobs.pending", 2),
				chart("Jobs that ended and are still listed", "By how they ended, for as long as slurmctld keeps them (MinJobAge).", 6, count, by(c+"jobs.recent.*", 3)),
			}},
			{title: "GPUs by type", height: 8, closed: true, panels: []panel{
				chart("GPUs in use, by type", "GPUs of each type that are allocated to jobs. No data: the cluster has none.", 12, count, by(c+"gpu_type.*.alloc", 2)),
				chart("GPUs free, by type", "GPUs of each type that are not allocated, on nodes that take work.", 12, count, by(c+"gpu_type.*.idle", 2)),
			}},
		},
	}
}
