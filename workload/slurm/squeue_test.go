package slurm

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wantJob is a Job with its texts as strings.
type wantJob struct {
	partitions, state, user, account, qos, reason string
	id, tasks, het, nodes, cpus, memory, gpus     int64
	submit, eligible, start, limit                int64
	exit, signal                                  int
}

func (j *Job) strings() wantJob {
	return wantJob{string(j.Partitions), string(j.State), string(j.User), string(j.Account), string(j.QOS), string(j.Reason),
		j.ID, j.Tasks, j.Het, j.Nodes, j.CPUs, j.Memory, j.GPUs, j.Submit, j.Eligible, j.Start, j.Limit, j.Exit, j.Signal}
}

// jobLine spells a line, given its fields with "|" between them.
func jobLine(s string) string { return strings.ReplaceAll(s, "|", "\x1f") + "\x1f" }

func TestJobParse(t *testing.T) {
	const none = unknown
	tests := []struct {
		name, in string
		want     wantJob
	}{
		{"running with GPUs", "57|N/A|N/A|gpu|RUNNING|alice|physics|normal|2|3|cpu=3,mem=7000M,node=2,billing=20,gres/gpu=5,gres/gpu:a100=4,gres/gpu:v100=1|1795213525|1795213526|1795213527|1:00:00|0:0|None",
			wantJob{"gpu", "RUNNING", "alice", "physics", "normal", "None", 57, 1, none, 2, 3, 7000 << 20, 5, 1795213525, 1795213526, 1795213527, 3600, 0, 0}},
		{"array", "22|1-1000:3|N/A|batch,gpu|PENDING|bob|bio|low|6|8|cpu=8,mem=62.50G,node=6|1795213434|1795213435|N/A|1-12:30:00|0:0|Priority",
			wantJob{"batch,gpu", "PENDING", "bob", "bio", "low", "Priority", 22, 334, none, 6, 8, 62<<30 + 1<<29, 0, 1795213434, 1795213435, none, 131400, 0, 0}},
		{"20.11: wait status", "5|3|N/A|b|FAILED|u|a|q|1|1|cpu=1,node=1,billing=1|11|12|13|30:00|768|NonZeroExitCode",
			wantJob{"b", "FAILED", "u", "a", "q", "NonZeroExitCode", 5, 1, none, 1, 1, none, 0, 11, 12, 13, 1800, 3, 0}},
		{"20.11: signal", "6|N/A|4|b|FAILED|u|a|q|1|1||11|12|13|30:00|15|JobLaunchFailure",
			wantJob{"b", "FAILED", "u", "a", "q", "JobLaunchFailure", 6, 1, 4, 1, 1, none, 0, 11, 12, 13, 1800, 0, 15}},
		{"exit and signal", "6|N/A|4|b|FAILED|u|a|q|1|1||11|12|13|2:05|7:9|RaisedSignal:9(Killed)",
			wantJob{"b", "FAILED", "u", "a", "q", "RaisedSignal:9(Killed)", 6, 1, 4, 1, 1, none, 0, 11, 12, 13, 125, 7, 9}},
		{"nothing known", "N/A" + strings.Repeat("|", 16), wantJob{"", "", "", "", "", "", none, 1, none, none, none, none, 0, none, none, none, none, 0, 0}},
		{"words for nothing", "8|(null)|N/A|p|S|u|(null)|N/A|N/A|N/A|cpu=9,node=7|Unknown|NONE|-62135596800|UNLIMITED|N/A|", wantJob{"p", "S", "u", "(null)", "N/A", "", 8, 1, none, 7, 9, none, 0, none, none, none, unlimited, 0, 0}},
		{"limit of the partition", "8|N/A|N/A|p|S|u|a|q|2K|1.50K|N/A|1|2|3|Partition_Limit|0|x", wantJob{"p", "S", "u", "a", "q", "x", 8, 1, none, 2048, 1536, none, 0, 1, 2, 3, partitionLimit, 0, 0}},
		{"range of nodes", "8|N/A|N/A|p|S|u|a|q|4-8|5|N/A|1|2|3|INVALID|0|x", wantJob{"p", "S", "u", "a", "q", "x", 8, 1, none, 4, 5, none, 0, 1, 2, 3, none, 0, 0}},
		{"any bytes", "8|N/A|N/A|p\t \xff|S|ü \x00|a,b|\"q|1|2|N/A|1|2|3|5:00|0|a (b), {c}: 'd' \\n\t\xfe", wantJob{"p\t \xff", "S", "ü \x00", "a,b", "\"q", "a (b), {c}: 'd' \\n\t\xfe", 8, 1, none, 1, 2, none, 0, 1, 2, 3, 300, 0, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var p queueParser
			var j Job
			for range 2 { // the second time out of what is remembered
				ok, err := p.parse([]byte(jobLine(test.in)), &j)
				require.NoError(t, err)
				require.True(t, ok)
				assert.Equal(t, test.want, j.strings())
			}
		})
	}
}

// TestJobDamaged keeps the job and says what of it cannot be read.
func TestJobDamaged(t *testing.T) {
	good := strings.Split("57|1-4|N/A|gpu|RUNNING|alice|physics|normal|2|3|cpu=3,mem=7G,node=2|111|222|333|1:00:00|5:6|None", "|")
	tests := []struct {
		field     int
		text, err string
	}{
		{fieldJobID, "x7", `job "x7": JobID "x7": want a number of at most 18 digits`},
		{fieldJobID, "99999999999999999999", `job "99999999999999999999": JobID "99999999999999999999": want a number of at most 18 digits`},
		{fieldTasks, "1-", `job "57": ArrayTaskID "1-": tasks "1-": want a list of task numbers, as in "1-100:2,7%5"`},
		{fieldHet, "4+1", `job "57": HetJobID "4+1": want a number of at most 18 digits`},
		{fieldNodes, "two", `job "57": NumNodes "two": want a number below 2^62, as in "64000M" or "62.50G"`},
		{fieldCPUs, "18446744073709551616", `job "57": NumCPUs "18446744073709551616": want a number below 2^62, as in "64000M" or "62.50G"`},
		{fieldTRES, "cpu=1,mem=huge", `job "57": tres-alloc "cpu=1,mem=huge": tres "mem=huge": want a number below 2^62, as in "64000M" or "62.50G"`},
		{fieldSubmit, "1795213525000000000000", `job "57": SubmitTime "1795213525000000000000": want a number of at most 18 digits`},
		{fieldEligible, "2026-11-20T22:00:00", `job "57": EligibleTime "2026-11-20T22:00:00": want a number of at most 18 digits`},
		{fieldStart, "-", `job "57": StartTime "-": want a number of at most 18 digits`},
		{fieldLimit, "1-", `job "57": TimeLimit "1-": want a duration, as in "1-12:30:00" or "30:00", or "UNLIMITED"`},
		{fieldExit, "3:", `job "57": exit_code "3:": want an exit code and a signal, as in "3:0", or a wait status`},
		{fieldExit, "65536", `job "57": exit_code "65536": want an exit code and a signal, as in "3:0", or a wait status`},
	}
	for _, test := range tests {
		f := append([]string(nil), good...)
		f[test.field] = test.text
		var p queueParser
		var j Job
		for range 2 {
			ok, err := p.parse([]byte(jobLine(strings.Join(f, "|"))), &j)
			assert.True(t, ok, test.text)
			assert.EqualError(t, err, test.err)
			assert.Equal(t, "gpu", string(j.Partitions), test.text)
			assert.Equal(t, "None", string(j.Reason), test.text)
		}
	}
}

// TestJobNone refuses lines that are no jobs.
func TestJobNone(t *testing.T) {
	whole := jobLine("57|1-4|N/A|gpu|RUNNING|alice|physics|normal|2|3|cpu=3,mem=7G,node=2|111|222|333|1:00:00|5:6|None")
	var p queueParser
	var j Job
	last := strings.LastIndexByte(strings.TrimSuffix(whole, "\x1f"), separator)
	for cut := range last + 1 {
		p.open = false
		ok, err := p.parse([]byte(whole[:cut]), &j)
		assert.False(t, ok, "cut at %d", cut)
		assert.ErrorIs(t, err, errJob, "cut at %d", cut)
	}
	for _, in := range []string{whole + "x", whole + "\x1f", "slurm_load_jobs error: Unable to contact slurm controller", strings.Repeat("\x1f", 18)} {
		ok, err := p.parse([]byte(in), &j)
		assert.False(t, ok, "%q", in)
		assert.ErrorIs(t, err, errJob, "%q", in)
	}
	_, err := p.parse([]byte("JobID invalid"), &j)
	assert.EqualError(t, err, `squeue "JobID invalid": want 17 fields, each ended by the unit separator`)
}

// TestJobReasonOfManyLines takes a reason with newlines for one.
func TestJobReasonOfManyLines(t *testing.T) {
	begin := strings.TrimSuffix(jobLine("57|N/A|N/A|gpu|PENDING|alice|physics|normal|2|3||1|2|3|1:00|0:0|first"), "\x1f")
	var p queueParser
	var j Job
	parse := func(s string) (bool, error) { return p.parse([]byte(s), &j) }
	for _, end := range []string{"last\x1f", "\x1f"} {
		ok, err := parse(begin)
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, "first", string(j.Reason))
		for _, rest := range []string{"second: 7", "", end} {
			ok, err = parse(rest)
			require.NoError(t, err, "%q", rest)
			assert.False(t, ok, "%q", rest)
		}
		_, err = parse("stray")
		require.Error(t, err, "the reason has ended")
	}
	_, err := parse(begin)
	require.NoError(t, err)
	ok, err := parse(begin + "\x1f")
	require.NoError(t, err)
	assert.True(t, ok, "the next job, although the reason was never ended")
	_, err = parse("stray\x1f")
	require.Error(t, err)
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]int64{"1-12:30:07": 131407, "2:00:03": 7203, "30:01": 1801, "0:05": 5, "365-00:00:00": 31536000, "100:00": 6000} {
		got, ok := parseDuration([]byte(in))
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "5", "1-", "1-5", "1-5:00", "1:2:3:4", ":5", "5:", "1--2:00:00", "1:2-3", "a:b", "1-1:1:1-1", "99999999999:00"} {
		_, ok := parseDuration([]byte(in))
		assert.False(t, ok, in)
	}
}

// TestJobsCaptured reads every line of every version, and compares it with its fields as another way of splitting has them.
func TestJobsCaptured(t *testing.T) {
	for _, version := range versions {
		var p queueParser
		var j Job
		for i, l := range capture(t, version, "squeue.out") {
			ok, err := p.parse(l, &j)
			require.NoError(t, err, "%s line %d: %q", version, i, l)
			require.True(t, ok)
			f := strings.Split(string(l), "\x1f")
			got := j.strings()
			for field, text := range map[int]string{fieldPartition: got.partitions, fieldState: got.state, fieldUser: got.user,
				fieldAccount: got.account, fieldQOS: got.qos, fieldReason: got.reason} {
				assert.Equal(t, f[field], text, "%s line %d %s", version, i, queueFields[field])
			}
			for field, n := range map[int]int64{fieldJobID: got.id, fieldHet: got.het, fieldNodes: got.nodes, fieldCPUs: got.cpus,
				fieldSubmit: got.submit, fieldEligible: got.eligible, fieldStart: got.start} {
				if want, err := strconv.ParseInt(f[field], 10, 64); err == nil {
					assert.Equal(t, want, n, "%s line %d %s", version, i, queueFields[field])
				} else {
					assert.Equal(t, "N/A", f[field])
					assert.Equal(t, int64(unknown), n)
				}
			}
			assert.Equal(t, expand(f[fieldTasks]), got.tasks)
			assert.Equal(t, strings.Join(f[fieldPartition:fieldQOS+1], "\x1f"), string(j.who))
		}
	}
}

func FuzzJob(f *testing.F) {
	for _, version := range versions {
		for _, l := range capture(f, version, "squeue.out") {
			f.Add(l)
		}
	}
	f.Add([]byte(jobLine("8|1-9:2|N/A|p|S|u|a|q|4-8|2K|mem=1T|Unknown|-5|3|UNLIMITED|0|x")))
	f.Fuzz(func(t *testing.T, l []byte) {
		var p queueParser
		var j, again Job
		ok, err := p.parse(l, &j)
		if !ok {
			return
		}
		first := j.strings()
		assert.GreaterOrEqual(t, bytes.Count(l, []byte{separator}), fieldReason)
		assert.LessOrEqual(t, bytes.Count(l, []byte{separator}), fieldCount)
		f := bytes.SplitN(l, []byte{separator}, fieldCount)
		assert.Equal(t, string(bytes.Join(f[fieldPartition:fieldQOS+1], []byte{separator})), string(j.who))
		assert.Equal(t, string(bytes.TrimSuffix(f[fieldReason], []byte{separator})), first.reason)
		assert.Positive(t, j.Tasks)
		for _, n := range []int64{j.Nodes, j.CPUs, j.Memory} {
			assert.True(t, n == unknown || n >= 0 && n < maxQuantity)
		}
		ok2, err2 := p.parse(l, &again)
		assert.True(t, ok2)
		assert.Equal(t, err, err2)
		assert.Equal(t, first, again.strings())
	})
}

func BenchmarkJobParse(b *testing.B) {
	lines := capture(b, "26.05", "squeue.out")
	size := 0
	for _, l := range lines {
		size += len(l) + 1
	}
	var p queueParser
	var j Job
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range lines {
			if ok, err := p.parse(l, &j); !ok || err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/line")
}
