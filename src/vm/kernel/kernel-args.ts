/**
 * What the kernel of every machine is told, on whichever hypervisor: to say little, to end where it cannot
 * go on, and not to make the files for tracing it, which are 10,000 inodes (8 MiB of the machine's memory)
 * that nothing of ours reads. Kernel: admin-guide/kernel-parameters; kernel/trace/trace.c.
 */
export const commonKernelArgs = "quiet loglevel=3 panic=-1 initcall_blacklist=tracer_init_tracefs";
