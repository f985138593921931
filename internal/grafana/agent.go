package grafana

// agent shows the agent itself: its commands, its queues, its databases.
func agent() Dashboard {
	const a = "$cluster.agent."
	return Dashboard{
		Name: "agent", title: "agent", about: "Does the agent itself keep up: its commands, aggregators, queues and databases.",
		vars: []variable{clusters},
		rows: []row{
			{title: "Now", height: 4, panels: []panel{
				state("Commands", "Whether the last call of each command succeeded.", 8, yesNo, a+"command.*.ok", 3),
				state("Aggregators", "Whether the last run of each aggregator ended without an error.", 4, yesNo, a+"aggregator.*.ok", 3),
				state("Databases", "Whether the last try to send to each database worked.", 4, yesNo, a+"database.*.ok", 3),
				figure("Series", "Series that the last runs of all aggregators produced.", 4, count, plain, a+"series"),
				figure("Interval", "Time from one tick to the next that is in force.", 4, seconds, plain, a+"interval_seconds"),
			}},
			{title: "Work", height: 8, panels: []panel{
				chart("Time of each command", "Of its last call.", 8, seconds, by(a+"command.*.seconds", 3)).limits(slow),
				chart("Lines of each command", "Of its last call.", 8, count, by(a+"command.*.rows", 3)),
				chart("Output of each command", "Of its last call.", 8, bytes_, by(a+"command.*.bytes", 3)),
				chart("Time of each aggregator", "Of its last run.", 8, seconds, by(a+"aggregator.*.seconds", 3)),
				chart("Lag of ticks", "How late the last tick of any aggregator began.", 8, seconds, named("lag", a+"tick_lag_seconds")),
				chart("What went wrong", "A second: calls killed at their deadline, lines that could not be read, words of Slurm that the agent does not know.", 8, each,
					call("aliasSub", a+"command.*.{timeouts,parse_errors}.per_second", `'^.*\.command\.([^.]+)\.([^.]+)\.per_second.*'`, `'\1 \2'`),
					named("unknown words", a+"unknown_tokens.per_second")),
			}},
			{title: "Delivery", height: 8, panels: []panel{
				chart("Oldest point in each queue", "How long a point has waited for its database. It rises while the database does not take points; none is lost.", 8, seconds, by(a+"queue.*.oldest_seconds", 3)).limits(late),
				chart("Size of each queue", "What has not been taken by the database, on disk.", 8, bytes_, by(a+"queue.*.bytes", 3)),
				chart("Time of a send", "To each database.", 8, seconds, by(a+"database.*.send_seconds", 3)),
				chart("Points taken", "By each database, a second.", 8, each, by(a+"database.*.sent.per_second", 3)),
				chart("Points refused", "For what they hold; they are in the dead letters, with the reason. A second.", 8, each, by(a+"database.*.rejected.per_second", 3)).limits(lost),
				chart("Points lost", "Since the start of the agent, because the queue had reached its size.", 8, count, by(a+"database.*.dropped", 3)).limits(lost),
			}},
			{title: "Cost", height: 7, panels: []panel{
				chart("Memory of the agent", "Resident, without the commands.", 12, bytes_, named("resident", a+"rss_bytes")),
				chart("CPU of the agent", "User and system, without the commands. 100%: one core.", 12, ratio, named("of a core", a+"cpu_seconds.per_second")),
			}},
		},
	}
}

// limits draws the steps as dashed lines.
func (p panel) limits(steps []step) panel {
	p.steps = steps
	custom := object{}
	for k, v := range p.custom {
		custom[k] = v
	}
	custom["thresholdsStyle"] = object{"mode": "dashed"}
	p.custom = custom
	return p
}
