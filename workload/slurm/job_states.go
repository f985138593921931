package slurm

// A jobState is what a job is doing, or how it ended.
type jobState uint8

// The states of jobs in the queue, then those of jobs that have ended and are listed for a while.
const (
	jobRunning jobState = iota
	jobPending
	jobSuspended
	jobCompleting
	jobConfiguring
	jobRequeued
	jobStopped
	jobOther // also any word that this version of the program does not know
	jobCompleted
	jobFailed
	jobTimeout
	jobCancelled
	jobOutOfMemory
	jobNodeFail
	jobPreempted
	jobDeadline
	jobBootFail
	jobStateCount int = iota

	queueStateCount  = int(jobCompleted)
	recentStateCount = jobStateCount - queueStateCount
)

var jobStateNames = [jobStateCount]string{"running", "pending", "suspended", "completing", "configuring", "requeued", "stopped", "other",
	"completed", "failed", "timeout", "cancelled", "oom", "node_fail", "preempted", "deadline", "boot_fail"}

// holds tells whether a job in the state has the nodes that it was given. A suspended one has left its CPUs to others.
func (s jobState) holds() bool {
	return s == jobRunning || s == jobConfiguring || s == jobCompleting || s == jobStopped
}

// recent tells whether the job has ended.
func (s jobState) recent() bool { return s >= jobCompleted }

// parseJobState reads a state as squeue prints it: one word, a flag where the job has one, else its base state. Shown
// tells whether squeue lists such a job when it is asked for no states: it does where the base state is pending, running
// or suspended, or the job is completing or staging out.
//
// A flag hides the base state. That of REQUEUE_HOLD, SPECIAL_EXIT and RESV_DEL_HOLD is pending, that of SIGNALING,
// RESIZING and STOPPED running; a job that was revoked runs at another cluster of the federation.
func parseJobState(word []byte) (s jobState, shown, known bool) {
	switch string(word) {
	case "RUNNING", "RESIZING", "SIGNALING":
		return jobRunning, true, true
	case "PENDING", "RESV_DEL_HOLD":
		return jobPending, true, true
	case "SUSPENDED":
		return jobSuspended, true, true
	case "COMPLETING", "STAGE_OUT":
		return jobCompleting, true, true
	case "CONFIGURING", "POWER_UP_NODE":
		return jobConfiguring, true, true
	case "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "EXPEDITING":
		return jobRequeued, true, true
	case "STOPPED":
		return jobStopped, true, true
	case "REVOKED":
		return jobOther, false, true
	}
	if s, ok := jobEnds[string(word)]; ok {
		return s, false, true
	}
	return jobOther, true, false
}

var jobEnds = map[string]jobState{
	"COMPLETED":     jobCompleted,
	"FAILED":        jobFailed,
	"TIMEOUT":       jobTimeout,
	"CANCELLED":     jobCancelled,
	"OUT_OF_MEMORY": jobOutOfMemory,
	"NODE_FAIL":     jobNodeFail,
	"PREEMPTED":     jobPreempted,
	"DEADLINE":      jobDeadline,
	"BOOT_FAIL":     jobBootFail,
}
