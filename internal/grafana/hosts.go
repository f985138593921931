package grafana

// hosts shows the machines on which an agent measures the host.
func hosts() Dashboard {
	const h = "$cluster.host.$host."
	return Dashboard{
		Name: "hosts", title: "hosts",
		about: "The machines that an agent measures. For the metrics host.{host}.* of an aggregator of hosts: an agent that has none leaves these panels at \"no data\".",
		vars:  []variable{clusters, byName("host", "Host")},
		rows: []row{
			{title: "Now", height: 9, panels: []panel{
				table("Hosts, now", "Each of the chosen machines.", 24, "host",
					column{name: "state", target: h + "up", words: upDown},
					column{name: "load", target: h + "load.1m", unit: count},
					column{name: "CPU in use", target: call("applyByNode", h+"cpu.idle_ratio", "2", "'offset(scale(%.cpu.idle_ratio,-1),1)'", "'%'"), unit: ratio, most: 1},
					column{name: "memory in use", target: shares(h+"memory.used_bytes", h+"memory.total_bytes", 2), unit: percent, most: 100},
				),
			}},
			{title: "CPU and memory", height: 8, panels: []panel{
				chart("Load", "Load average of one minute.", 12, count, by(h+"load.1m", 2)).listed(),
				chart("CPU by mode", "Time of all CPUs by what they did, the mean of the chosen hosts.", 12, ratio,
					call("aliasSub", call("groupByNode", h+"cpu.*_ratio", "4", "'average'"), "'_ratio'", "''")).upTo(1).stacked(),
				chart("Memory in use", "Of all that the host has.", 12, percent, by(shares(h+"memory.used_bytes", h+"memory.total_bytes", 2), 2)).upTo(100).listed(),
				chart("Pressure", "Part of the time in which some task had to wait for CPU, memory or disk.", 12, ratio, by(h+"pressure.*.some_ratio", 2, 4)).upTo(1),
			}},
			{title: "Disk and network", height: 8, panels: []panel{
				chart("Disks: read and written", "A second.", 8, rate, by(h+"disk.*.{read,written}_bytes.per_second", 2, 4, 5)),
				chart("Disks: busy", "Part of the time in which the disk had work.", 8, ratio, by(h+"disk.*.busy_ratio", 2, 4)).upTo(1),
				chart("Network: received and sent", "A second.", 8, rate, by(h+"network.*.{received,sent}_bytes.per_second", 2, 4, 5)),
				ranking("File systems: used", "The fullest of the chosen hosts.", 12, percent, 20,
					shares(h+"filesystem.*.used_bytes", h+"filesystem.*.total_bytes", 4), 2, 4).upTo(100).filling(),
				chart("Temperatures", "Of each sensor.", 12, celsius, by(h+"temperature.*_celsius", 2, 4)),
			}},
		},
	}
}

// filling gives a panel the colours of what should not be full.
func (p panel) filling() panel {
	p.steps = filled
	return p
}
