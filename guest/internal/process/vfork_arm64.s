#include "textflag.h"

// func vfork(arguments *cloneArguments, size uintptr) (pid, errno uintptr)
//
// The return address is in a register, of which the child has its own.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-32
	MOVD	arguments+0(FP), R0
	MOVD	size+8(FP), R1
	MOVD	$435, R8 // clone3
	SVC
	CMN	$4095, R0
	BCC	done
	MOVD	ZR, pid+16(FP)
	NEG	R0, R0
	MOVD	R0, errno+24(FP)
	RET
done:
	MOVD	R0, pid+16(FP)
	MOVD	ZR, errno+24(FP)
	RET
