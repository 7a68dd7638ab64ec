# U-Boot runs this on a Pi and in QEMU alike. It chooses one of two roots, A and B, in partitions 2 and 3.
#
# Each boot takes one from the root's counter, and the system gives it back once the service has proved itself: a root
# that never does so has three tries, then the other one has its turn. Names and meaning are those of RAUC; ab.env has
# the format of fw_setenv, and is one sector long, which a card writes whole or not at all.
#
# image/card.py puts values in place of @NAME@. The commands are of U-Boot 2023.01.

if load ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} ab.env; then
  if env import -c ${ramdisk_addr_r} 0x200 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; then
    echo "Boot counters: order ${BOOT_ORDER}, A ${BOOT_A_LEFT}, B ${BOOT_B_LEFT}"
  else
    echo "ab.env is damaged"
  fi
else
  echo "ab.env is missing"
fi
test -n "${BOOT_ORDER}" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3

# The last console is the one where the system reports: the screen of a Pi, the serial line of QEMU.
setenv consoles "console=tty0 console=ttyAMA0"
if test "${board}" = "rpi"; then
  setenv consoles "console=ttyS1,115200 console=tty0"
fi

for slot in ${BOOT_ORDER}; do
  setenv left 0
  if test "${slot}" = "A"; then
    setenv left ${BOOT_A_LEFT}
    setenv number 2
  fi
  if test "${slot}" = "B"; then
    setenv left ${BOOT_B_LEFT}
    setenv number 3
  fi
  if test ${left} -gt 0; then
    setexpr left ${left} - 1
    setenv BOOT_${slot}_LEFT ${left}
    env export -c -s 0x200 ${ramdisk_addr_r} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
    fatwrite ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} ab.env 0x200
    echo "Root ${slot}; ${left} more tries"
    if load ${devtype} ${devnum}:${number} ${kernel_addr_r} boot/vmlinuz; then
      if load ${devtype} ${devnum}:${number} ${ramdisk_addr_r} boot/initrd; then
        setenv bootargs "root=PARTUUID=@DISK_ID@-0${number} ro rauc.slot=${slot} ${consoles} @ARGUMENTS@"
        booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}
      fi
    fi
    echo "Root ${slot} cannot be started"
  fi
done

echo "No root has tries left; each gets three again"
setenv BOOT_A_LEFT 3
setenv BOOT_B_LEFT 3
env export -c -s 0x200 ${ramdisk_addr_r} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
fatwrite ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} ab.env 0x200
sleep 5
reset
