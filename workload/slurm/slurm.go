// Package slurm measures the load of a cluster that Slurm manages, through Slurm's own commands: the queue, the nodes
// and the partitions.
package slurm
