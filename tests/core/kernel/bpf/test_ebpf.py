"""The assembler against the instruction set's own description (linux/Documentation/bpf/standardization)."""

from appliance.core.kernel.bpf.ebpf import (
    END,
    Helper,
    Register,
    Size,
    add_atomically,
    assemble,
    call,
    compute,
    jump,
    jump_if,
    leave,
    load,
    map_named,
    network_order,
    number,
    store,
)

R0, R1, R2, R10 = Register.R0, Register.R1, Register.R2, Register.R10


def code(*instructions) -> str:
    return assemble({"all": instructions}, {"here": 0x1234}).hex(" ", 8)


def test_each_instruction_is_written_as_the_kernel_reads_it() -> None:
    assert code(*leave(-1)) == "b7000000ffffffff 9500000000000000"
    assert code(compute(R1, "+", R2), compute(R1, ">>", 4)) == "0f21000000000000 7701000004000000"
    assert code(load(Size.HALF, R1, R10, -8), load(Size.DOUBLE, R0, R1, 16)) == "69a1f8ff00000000 7910100000000000"
    assert code(store(Size.WORD, R10, -4, 7), store(Size.BYTE, R1, 2, R0)) == "620afcff07000000 7301020000000000"
    assert code(add_atomically(R0, 8, R1)) == "db10080000000000"
    assert code(network_order(R1)) == "dc01000010000000"
    assert code(call(Helper.REDIRECT)) == "8500000017000000"
    assert code(number(R2, 0x0123_4567_89AB_CDEF)) == "18020000efcdab89 0000000067452301"
    assert code(map_named(R1, "here")) == "1811000034120000 0000000000000000"


def test_a_jump_goes_to_its_block_and_a_wide_number_takes_two_instructions() -> None:
    blocks = {
        "begin": [jump_if(R1, "==", 5, "end"), number(R2, 1), jump_if(R1, "<", R2, "begin")],
        "end": [jump("begin"), END],
    }
    assert assemble(blocks, {}).hex(" ", 8) == (
        "1501030005000000 1802000001000000 0000000000000000 ad21fcff00000000 0500fbff00000000 9500000000000000"
    )
