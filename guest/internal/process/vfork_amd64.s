#include "textflag.h"

// func vfork(arguments *cloneArguments, size uintptr) (pid, errno uintptr)
//
// The child returns first and overwrites the place of the return address, so
// that address waits in a register, of which each side has its own.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-32
	MOVQ	arguments+0(FP), DI
	MOVQ	size+8(FP), SI
	MOVQ	$435, AX // clone3
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	CMPQ	AX, $0xfffffffffffff001
	JLS	done
	MOVQ	$0, pid+16(FP)
	NEGQ	AX
	MOVQ	AX, errno+24(FP)
	RET
done:
	MOVQ	AX, pid+16(FP)
	MOVQ	$0, errno+24(FP)
	RET
