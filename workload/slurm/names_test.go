package slurm

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSnakeCase(t *testing.T) {
	for in, want := range map[string]string{
		"Priority": "priority", "JobHeldUser": "job_held_user", "QOSMaxJobsPerUserLimit": "qos_max_jobs_per_user_limit",
		"AssocGrpCPURunMinutesLimit": "assoc_grp_cpu_run_minutes_limit", "QOSGrpGRES": "qos_grp_gres", "InvalidQOS": "invalid_qos",
		"ReqNodeNotAvail": "req_node_not_avail", "BeginTime": "begin_time", "DeadLine": "dead_line",
		"job requeued in held state": "job_requeued_in_held_state", "  a--b__c ": "a_b_c", "Gen2Nodes": "gen2_nodes", "": "", "%%": "",
		"A": "a", "ÄB": "b", "x\xffy": "x_y",
	} {
		assert.Equal(t, want, string(snakeCase(nil, []byte(in))), in)
		assert.Equal(t, "before"+want, string(snakeCase([]byte("before"), []byte(in))), in)
	}
}

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{"": "_none", "N/A": "_none", "(null)": "_none", "None": "None", "physics": "physics", "a b\xff": "a b\xff"} {
		assert.Equal(t, want, string(label([]byte(in))), in)
	}
}
