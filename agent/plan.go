package agent

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/database"
)

// factories makes the parts that a configuration names.
type factories struct {
	aggregators *aggregator.Registry
	databases   *database.Registry
	log         *slog.Logger
}

// A plan is the way from what runs to what a configuration asks for. Making it touches nothing outside.
type plan struct {
	stopTasks      []string
	startTasks     []plannedTask
	stopDatabases  []string
	startDatabases []plannedDatabase
}

type plannedTask struct {
	task        aggregator.Task
	fingerprint string
}

type plannedDatabase struct {
	table       config.Table
	client      database.Client
	fingerprint string
}

// plan makes the parts that c has and that do not run with the same settings; tasks and databases map the names of
// those that run to their fingerprints.
func (f factories) plan(c *config.Config, tasks, databases map[string]string) (*plan, error) {
	if len(c.Aggregators) == 0 {
		return nil, fmt.Errorf("%s: no aggregator: want at least one table such as [aggregator.slurm]", c.Path)
	}
	p := &plan{}
	for _, t := range c.Aggregators {
		print := t.Fingerprint()
		if tasks[t.Name] == print {
			continue
		}
		task, err := f.task(c, t)
		if err != nil {
			return nil, err
		}
		p.startTasks = append(p.startTasks, plannedTask{task, print})
	}
	for _, t := range c.Databases {
		print := fmt.Sprint(c.Frequency, t.Fingerprint())
		if databases[t.Name] == print {
			continue
		}
		client, err := f.client(c, t)
		if err != nil {
			return nil, err
		}
		p.startDatabases = append(p.startDatabases, plannedDatabase{t, client, print})
	}
	for name := range tasks {
		if !kept(name, c.Aggregators, p.startTasks, func(t plannedTask) string { return t.task.Name }) {
			p.stopTasks = append(p.stopTasks, name)
		}
	}
	for name := range databases {
		if !kept(name, c.Databases, p.startDatabases, func(d plannedDatabase) string { return d.table.Name }) {
			p.stopDatabases = append(p.stopDatabases, name)
		}
	}
	return p, nil
}

// kept says whether a running part stays as it is: the configuration has it and nothing new takes its place.
func kept[T any](name string, tables []config.Table, started []T, nameOf func(T) string) bool {
	there := slices.ContainsFunc(tables, func(t config.Table) bool { return t.Name == name })
	return there && !slices.ContainsFunc(started, func(s T) bool { return nameOf(s) == name })
}

func (f factories) task(c *config.Config, t config.Table) (aggregator.Task, error) {
	if t.Name == selfName {
		return aggregator.Task{}, t.Errorf("the name is the agent's own: choose another and set type")
	}
	factory, err := f.aggregators.Get(t.Type)
	if err != nil {
		return aggregator.Task{}, t.Errorf("%w", err)
	}
	a, err := assemble(t, func(decode func(any) error) (aggregator.Aggregator, error) {
		return factory(aggregator.Options{
			Name: t.Name, Decode: decode, Frequency: t.Frequency,
			Folder: filepath.Join(c.Folder, "aggregator", t.Name), Log: f.log.With("aggregator", t.Name),
		})
	})
	return aggregator.Task{Name: t.Name, Aggregator: a, Frequency: t.Frequency, Deadline: t.Deadline}, err
}

func (f factories) client(c *config.Config, t config.Table) (database.Client, error) {
	factory, err := f.databases.Get(t.Type)
	if err != nil {
		return nil, t.Errorf("%w", err)
	}
	return assemble(t, func(decode func(any) error) (database.Client, error) {
		return factory(database.Options{
			Name: t.Name, Decode: decode, Frequency: c.Frequency,
			Folder: filepath.Join(c.Folder, "database", t.Name), Log: f.log.With("database", t.Name),
		})
	})
}

// assemble makes a plugin from its table. One that has no settings, and so decodes none, still refuses unknown keys.
func assemble[T any](t config.Table, factory func(decode func(any) error) (T, error)) (T, error) {
	decoded := false
	plugin, err := factory(func(v any) error {
		decoded = true
		return t.Decode(v)
	})
	if err == nil && !decoded {
		err = t.Decode(new(struct{}))
	}
	if err != nil {
		err = t.Errorf("%w", err)
	}
	return plugin, err
}
