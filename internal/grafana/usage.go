package grafana

// usage shows who uses the cluster: users, accounts, QOS.
func usage() Dashboard {
	return Dashboard{
		Name: "usage", title: "users, accounts, QOS",
		about: "Who uses the cluster and who waits. The agent keeps series for the users and accounts that use the most (`top` in [aggregator.slurm]); _other is exactly all the others.",
		vars:  []variable{clusters, byName("account", "Account"), byName("user", "User"), byName("qos", "QOS")},
		rows:  append(append(usageRows("Accounts", "account"), usageRows("Users", "user")...), usageRows("QOS", "qos")...),
	}
}

func usageRows(title, kind string) []row {
	p := "$cluster." + kind + ".$" + kind + "."
	return []row{{title: title, height: 9, panels: []panel{
		table(title+", now", "Jobs, and what those that run hold.", 12, kind,
			column{name: "running", target: p + "jobs.running", unit: count},
			column{name: "pending", target: p + "jobs.pending", unit: count},
			column{name: "CPUs", target: p + "jobs.cpus.running", unit: count},
			column{name: "GPUs", target: p + "jobs.gpus.running", unit: count},
			column{name: "memory", target: p + "jobs.mem_bytes.running", unit: bytes_},
			column{name: "CPUs asked for", target: p + "jobs.cpus.pending", unit: count},
		),
		chart("CPUs held", "CPUs that running jobs hold; the 20 with the most now.", 6, count, top(20, by(p+"jobs.cpus.running", 2))).stacked(),
		chart("Jobs that wait", "Pending jobs; the 20 with the most now.", 6, count, top(20, by(p+"jobs.pending", 2))).stacked(),
		chart("GPUs held", "GPUs that running jobs hold; the 20 with the most now.", 8, count, top(20, by(p+"jobs.gpus.running", 2))).stacked(),
		chart("Memory held", "Memory that running jobs hold; the 20 with the most now.", 8, bytes_, top(20, by(p+"jobs.mem_bytes.running", 2))).stacked(),
		chart("Why jobs wait", "Pending jobs of the chosen ones together, by the reason that Slurm gives.", 8, count,
			call("groupByNode", p+"jobs.pending.reason.*.jobs", "6", "'sum'")).stacked(),
	}}}
}
