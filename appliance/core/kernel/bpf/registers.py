"""The registers and widths of eBPF by their short names, for the modules that write programs."""

from appliance.core.kernel.bpf.ebpf import Register, Size

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register
WORD, HALF, BYTE, DOUBLE = Size.WORD, Size.HALF, Size.BYTE, Size.DOUBLE
