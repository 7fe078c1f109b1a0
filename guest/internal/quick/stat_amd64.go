package quick

import "syscall"

const statAt = syscall.SYS_NEWFSTATAT
