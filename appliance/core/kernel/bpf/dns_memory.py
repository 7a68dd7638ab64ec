"""Memory layout of the DNS filter's program: the frame, the stack and the scratch map."""

from enum import IntEnum


class FrameLayout(IntEnum):
    """Fields of R6, the kernel's view of the frame (linux/bpf.h: struct __sk_buff)."""

    LENGTH, MARK, PROTOCOL, TAGGED, TAG, INTERFACE, DATA, DATA_END = 0, 8, 16, 20, 24, 40, 76, 80


class Scratch(IntEnum):
    """Offsets from R7, the scratch map, which has the query itself at 0."""

    ANSWER = 512
    LABELS = 1024  # where each label begins, 2 bytes each
    NAME_END = 1280
    LABEL_COUNT = 1284
    FORGOTTEN = 1288  # values pass through here so that the verifier forgets them (`forgotten`)


class Stack(IntEnum):
    """Offsets from R10, the stack's end. Places that the kernel reads or writes have their size in bytes beside."""

    NET = -40  # 40: the network's header
    TRANSPORT = -64  # 20: the transport's header
    HOST = -80  # 16: the sender's address; in front of it goes what makes a key of it
    HIT_KEY = HOST - 4
    SCOPE_KEY = HOST - 8
    MACS = -104  # 12
    NAME_KEY = -120  # 16
    ONE = -128  # 8: a key or value for a call
    L4 = -136  # where the transport's header begins in the packet
    DNS = -144  # where the message begins in the packet
    MESSAGE = -152  # its length
    WAY = -160  # a `Way`
    DEPARTMENT = -168
    NOW = -176
    BOUND = -184  # where the label begins that is being hashed
    STEP = -192  # bytes hashed so far, which bounds the loop
    MARK = -200  # the mark of the block
    ASKED = -208  # length of the question, later of the query
    DIFFERENCE = -216  # between checksums; later a length
    ANSWERED = -224  # length of the answer
    SIZE = -232  # of the answer with its transport's header
    L3 = -240  # where the network's header begins in the packet
    END = -248  # where the packet ends in the frame, without padding
    LEFT = -256  # bytes of the segment behind the message
    FOLLOWING = -264  # where these begin
    COUNT = -272  # messages of the segment that were read


class Way(IntEnum):
    """How a denied query is refused. `FRAGMENT`: it is dropped, also where its question is not whole."""

    ANSWERING, DROPPING, RESETTING, FRAGMENT = 0, 1, 2, 3
