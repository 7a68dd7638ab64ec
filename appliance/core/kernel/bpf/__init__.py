"""Builds the programs that run in the kernel: the capture's filter, and the filter that refuses DNS look-ups.

    ebpf            instructions by name, and the assembler      dns_headers     finds the message in a packet
    registers       their short names                            dns_program     reads, looks up and counts a query
    packet          sizes and codes in packets                   dns_answer      turns a query into its answer
    dns_maps        the maps, which our own program fills        dns_reset       turns a query over TCP into a reset
    capture_filter  the capture's filter                         dns_memory      memory layout
                                                                 dns_steps       common steps

The way of a packet through the DNS filter, by its blocks. Any block may leave for `next`, which lets the packet pass,
because it is no query, or the filter is open; for `passed`, because this message is no denied query; for `unread`,
which counts and drops it, once it goes to port 53 and cannot be read; or for `drop`, once it is known to be denied and
cannot be answered. On the right the table of `dns_headers` or `dns_program` that has the blocks, or their file.

    frame -> network -> nested (again)     the network's place to L3                                    FRAMES
    ipv4, measured4 | ipv6, measured6      sender's address to HOST, the packet's end to END            NETWORKS
    extension -> skip (again for each)     R7 = the transport's protocol, R8 = its place                EXTENSIONS
    transport -> ports -> udp              message's place to DNS, its length to R1                     TRANSPORTS
              -> following (again)         the same for each message of a segment
    message -> whole                       message to the scratch; a query with one question?           QUERY
    label (again for each) -> named        where each label begins; interface, sender -> DEPARTMENT     NAME
    asked -> seed                          time to NOW; R8 = the secret seed
    bound -> byte, lower (again for each)  one label more, from the last on, into the digest R8         SUFFIXES
    suffix -> department -> bound          is that digest denied to all, or to the department?
    denied -> held -> hit | first hit      open? else count by origin, and by block and host             COUNTING
    answer -> sums                         UDP: question, NXDOMAIN, "blocked"; new checksums            dns_answer
    reset -> addresses6, summed, put       TCP: the segment becomes a reset; new checksum               dns_reset
    back -> back4 | back6 -> hardware      swap addresses; send it where it came from                   dns_answer
    send

Registers: R0 is the result of a call, R1 to R5 are its arguments and lost after it. R6 is the frame (`FrameLayout`),
R10 the stack's end (`Stack`). R7 is the scratch (`Scratch`) from `whole` on. R8 and R9 are the label's begin and number
in `label`, later the digest and the place of its last byte; from `sums` and `reset` on R9 is the transport's place.

Scratch, 1296 bytes of a map, because a stack has only 512:

    0 query    512 answer    1024 begin of each label    1280 name's end    1284 labels    1288 `forgotten`

The verifier follows each path with each value that it can tell apart. Values that it should not tell apart go through
the scratch (`dns_steps.forgotten`); bounds that look redundant are there because it does not know what we know.
"""
