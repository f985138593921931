package slurmbed

import (
	"crypto/rand"
	"os"
	"strings"
	"text/template"

	"golang.org/x/sys/unix"
)

// The jobs' epilog ends at once but for a job that the mix holds in the state COMPLETING.
const epilog = `#!/bin/sh
while [ -e "{{.Folder}}/hold/$SLURM_JOB_ID" ]; do sleep 0.2; done
exit 0
`

const slurmdbdConf = `AuthType=auth/munge
AuthInfo=socket={{.Folder}}/run/munge.sock
DbdHost={{.Host}}
DbdAddr=127.0.0.1
DbdPort={{.Ports.Slurmdbd}}
SlurmUser=root
LogFile={{.Folder}}/log/slurmdbd.log
PidFile={{.Folder}}/run/slurmdbd.pid
DebugLevel=info
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={{.Ports.MariaDB}}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CommitDelay=1
CommunicationParameters=NoInAddrAny
`

// What needs a word: processes are found by their parents and not by cgroups, so that it works in a container; a job that
// asks for no memory asks for 100 MB a CPU; RebootProgram and the power programs do nothing, so that a node that is to
// reboot or to power up never comes back.
const slurmConf = `ClusterName={{.Cluster}}
SlurmctldHost={{.Host}}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={{.Folder}}/run/munge.sock
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={{.Ports.Slurmctld}}
StateSaveLocation={{.Folder}}/state
SlurmdSpoolDir={{.Folder}}/spool/%n
SlurmctldPidFile={{.Folder}}/run/slurmctld.pid
SlurmdPidFile={{.Folder}}/run/slurmd-%n.pid
SlurmctldLogFile={{.Folder}}/log/slurmctld.log
SlurmdLogFile={{.Folder}}/log/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
PrivateData=cloud
SlurmctldTimeout=30
SlurmdTimeout=30
MessageTimeout={{.MessageTimeout}}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
Epilog={{.Folder}}/conf/epilog
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,bf_continue,batch_sched_delay=0,sched_min_interval=0,sched_interval=2
PriorityType=priority/multifactor
PriorityDecayHalfLife=1-0
PriorityCalcPeriod=1
PriorityWeightAge=1000
PriorityWeightFairshare=10000
PriorityWeightJobSize=500
PriorityWeightPartition=1000
PriorityWeightQOS=2000
PriorityWeightTRES=cpu=100,mem=100,gres/gpu=1000
PreemptType=preempt/qos
PreemptMode=CANCEL
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={{.Ports.Slurmdbd}}
AccountingStoragePass={{.Folder}}/run/munge.sock
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu,gres/gpu:a100,gres/gpu:v100,license/matlab,license/ansys
AccountingStoreFlags=job_comment,job_env,job_script
GresTypes=gpu
Licenses=matlab:10,ansys:4
ReturnToService=1
MinJobAge={{.MinJobAge}}
KillWait=2
WaitTime=0
InactiveLimit=0
RebootProgram=/bin/true
ResumeProgram=/bin/true
SuspendProgram=/bin/true
ResumeTimeout=65000
SuspendTimeout=1
SuspendTime=86400
DefMemPerCPU=100
{{.Nodes}}{{.Partitions}}`

// configure writes the configuration files, munge's key and the make-believe GPUs.
func (c *Cluster) configure() error {
	values := map[string]any{
		"Cluster": ClusterName, "Folder": c.folder, "Host": c.host, "Ports": c.ports,
		"MessageTimeout": int(c.options.MessageTimeout.Seconds()), "MinJobAge": int(c.options.MinJobAge.Seconds()),
		"Nodes": c.nodeLines(), "Partitions": c.options.Profile.partitionLines(),
	}
	key := make([]byte, 128)
	_, _ = rand.Read(key) // never fails
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"munge.key", string(key), 0o600},
		{"slurmdbd.conf", fill(slurmdbdConf, values), 0o600},
		{"slurm.conf", fill(slurmConf, values), 0o644},
		{"gres.conf", c.gresLines(), 0o644},
		{"epilog", fill(epilog, values), 0o755},
	} {
		path := c.path("conf", f.name)
		if err := os.WriteFile(path, []byte(f.text), f.mode); err != nil {
			return err
		}
		if err := os.Chmod(path, f.mode); err != nil {
			return err
		}
	}
	for i := range c.options.Profile.mostGPUs() {
		if err := makeGPU(c.path("dev", "gpu"+string(rune('0'+i)))); err != nil {
			return err
		}
	}
	for _, n := range c.options.Profile.slurmds() {
		if err := os.Mkdir(c.path("spool", n), 0o755); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// makeGPU makes a device like /dev/null, or a plain file where a container forbids devices: Slurm 22.05 takes either.
func makeGPU(path string) error {
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err == nil || os.IsExist(err) {
		return nil
	}
	return os.WriteFile(path, nil, 0o666)
}

// fill fills a template whose text is a constant of this package.
func fill(text string, values any) string {
	var b strings.Builder
	if err := template.Must(template.New("").Parse(text)).Execute(&b, values); err != nil {
		panic(err)
	}
	return b.String()
}
