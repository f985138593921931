package slurmbed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// A streamed is a kind of job that a stream submits: how often in comparison with the others, by whom, and what. In args
// and script {a-b} stands for a random number from a to b.
type streamed struct {
	weight       int
	users        string
	args, script string
}

var stream = []streamed{
	{10, "alice bob erin", "-n{1-8} -t 5", "exec sleep {10-60}"},
	{6, "alice bob", "-n{1-4} -t 5 --array=1-{3-9}", "exec sleep {5-25}"},
	{6, "alice bob erin", "-p gpu -n{1-4} -t 10 --gres=gpu:a100:{1-4}", "exec sleep {20-70}"},
	{3, "alice bob", "-p gpu -n2 -t 10 --gpus={1-2}", "exec sleep {15-45}"},
	{2, "erin", "-p gpu -n1 -t 10 --gres=gpu:v100:{1-2}", "exec sleep {15-45}"},
	{2, "dave", "-p bigmem -n{8-32} -t 20 --mem={200-600}G", "exec sleep {30-70}"},
	{3, "carol", "-A biology -n{6-14} -t 5", "exec sleep {15-40}"},
	{3, "dave", "-n{2-6} -t 5", "exec sleep {20-50}"},
	{3, "alice erin", "-p debug -n{1-2} -t 2", "exec sleep {3-10}"},
	{2, "alice erin", "--qos=high -n{8-16} -t 5", "exec sleep {10-30}"},
	{2, "bob", "--qos=low -N{2-4} --ntasks-per-node=12 -t 5", "exec sleep {15-40}"},
	{3, "bob carol", "-n1 -t 2", "sleep {2-8}; exit {1-3}"},
	{2, "erin", "-n1 -t 5 -L matlab:{3-6}", "exec sleep {20-40}"},
	{2, "alice bob", "-n1 -t 2 --begin=now+{15-40}", "exec sleep {5-10}"},
	{1, "alice", "--qos=tiny -n1 -t 2", "exec sleep {10-20}"},
}

// streamLimit is how many jobs may wait before a stream pauses: the queue neither dries up nor grows.
const streamLimit = 40

// Stream submits jobs of several kinds, sizes and users, a hundred or so a minute, of which some fail and some are cancelled,
// until ctx is done. Where the cluster does not answer it tries on: faults are for tests to make. Told, where set, hears what
// was done and what could not be.
func (c *Cluster) Stream(ctx context.Context, told func(event string)) {
	if told == nil {
		told = func(string) {}
	}
	random := rand.New(rand.NewPCG(1, c.streams.Add(1))) // a cluster's first stream is always the same
	for ctx.Err() == nil {
		event, err := c.streamStep(ctx, random)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			told(err.Error())
		default:
			told(event)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(300+random.IntN(600)) * time.Millisecond):
		}
	}
}

// streamStep submits a job, or cancels one, or leaves a full queue alone.
func (c *Cluster) streamStep(ctx context.Context, random *rand.Rand) (string, error) {
	jobs, err := c.Jobs(ctx)
	if err != nil {
		return "", err
	}
	var live, pending []Job
	for _, j := range jobs {
		switch j.State {
		case "PENDING":
			pending = append(pending, j)
			live = append(live, j)
		case "RUNNING":
			live = append(live, j)
		}
	}
	switch {
	case len(live) > 0 && random.IntN(15) == 0:
		j := live[random.IntN(len(live))]
		return fmt.Sprintf("%s cancels job %d", j.User, j.Base), c.Cancel(ctx, j.Base)
	case len(pending) >= streamLimit:
		return fmt.Sprintf("%d jobs wait", len(pending)), nil
	}
	kind := pick(random)
	users := strings.Fields(kind.users)
	user, args := users[random.IntN(len(users))], numbers(kind.args, random)
	id, err := c.Submit(ctx, user, append(strings.Fields(args), "--wrap", numbers(kind.script, random))...)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s submits job %d: %s", user, id, args), nil
}

// pick draws a kind of job by its weight.
func pick(random *rand.Rand) streamed {
	sum := 0
	for _, s := range stream {
		sum += s.weight
	}
	n := random.IntN(sum)
	for _, s := range stream {
		if n -= s.weight; n < 0 {
			return s
		}
	}
	panic("unreachable: n is below the sum of weights")
}

// numbers puts a random number from a to b for each {a-b} of text.
func numbers(text string, random *rand.Rand) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		span, after, _ := strings.Cut(rest, "}")
		var from, to int
		if n, err := fmt.Sscanf(span, "%d-%d", &from, &to); n != 2 || to < from {
			panic(fmt.Sprintf("stream: %q: want {from-to}: %v", text, err))
		}
		fmt.Fprint(&b, from+random.IntN(to-from+1))
		text = after
	}
}
