"""Marks that the appliance gives to packets (`skb->mark`), which the packet filter's rules and eBPF programs share."""

# The meters let these pass uncounted: packets on their way to the notice and back, and the refusal of a look-up. Any
# value that other programs hardly use.
UNCOUNTED_MARK = 0x5001
