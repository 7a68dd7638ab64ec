"""Examples for the help and the manual page of each verb: the ways in which people use it most."""

import click

# Verb -> words behind `appliance`, each with what it does. `tests/cli` runs all of them through the parser.
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("status", "the computer, its departments, what is blocked"),
        ("block 203.0.113.9 --duration 10m", "block an address for ten minutes"),
        ("doctor", "what keeps it from working, and how to mend that"),
    ),
    "run": (
        ("run --simulate", "a simulated machine, without hardware and without root"),
        ("run --config appliance.toml", "the real machine, with this configuration"),
    ),
    "watch": (
        ("watch", "all events as they come"),
        ("watch usage:update --count 10", "ten events of one kind"),
        ("watch quota:alert security:incident --json", "two kinds, for a program"),
    ),
    "status": (("status", "as tables"), ("status --json", "for a program, with times in UTC")),
    "quota": (
        ("quota", "usage and limits of every department"),
        ("quota dept123 --history day", "what one department used on each of the latest days"),
    ),
    "maintenance": (
        ("maintenance start --duration 2h --impact 'The switch is replaced'", "read-only for two hours"),
        ("maintenance start --at '2026-12-06 02:00' --duration 2h --repeat weekly", "each Sunday night"),
        ("maintenance status", "what runs and what is planned, each with its id"),
        ("maintenance stop --id weekly-20261206T020000Z", "call one off; without an id, end the one that runs"),
    ),
    "report": (
        ("report dept123 2026-W48", "a week, for a person"),
        ("report dept123 2026-10 --csv", "the days of a month, for a table"),
    ),
    "schedule": (("schedule list", "what they do, and whether they are in force"),),
    "schedule list": (("schedule list", "what they do, and whether they are in force"),),
    "schedule add": (
        (
            "schedule add block 192.168.1.40 --window 22:00-06:00 --days sun,mon,tue,wed,thu",
            "a device on school nights, for all departments",
        ),
        ("schedule add allow videos.example.com --window 12:00-13:00", "a blocked name passes at lunch"),
        ("schedule add allow 203.0.113.9 --duration 30m", "a block pauses for half an hour"),
        ("schedule add unlimited --department dept123 --window 20:00-06:00", "quotas cut nobody off at night"),
        ("schedule add unlimited 192.168.1.40 --department dept123 --duration 30m", "one device, for half an hour"),
    ),
    "schedule remove": (("schedule remove block-20261206T220000Z", "an id as the list shows it"),),
    "doctor": (
        ("doctor", "as lines"),
        ("doctor --json", "for a program"),
        ("doctor --bundle /tmp/appliance.tar.gz", "with all that somebody elsewhere needs to help"),
    ),
    "token": (
        ("token", "a viewer of all departments for an hour"),
        ("token --role operator --departments dept123,dept456 --ttl 30d", "an operator of two departments"),
        ("token --ttl 365d --subject 'screen in the hall'", "a screen on a wall"),
    ),
    "token list": (("token list", "the tokens that have not expired"),),
    "token revoke": (("token revoke 3f1c9a0b7d2e4c58", "an id as the list shows it"),),
    "user": (("user add alice --role operator --departments dept123", "the head of a department"),),
    "user add": (
        ("user add alice --role admin", "an administrator; the password is asked for"),
        ("user add ben --role operator --departments dept123", "the head of a department"),
    ),
    "user list": (("user list", "everybody who can log in"),),
    "user remove": (("user remove alice", "her logins end within a second"),),
    "user password": (("user password alice", "the new password is asked for"),),
    "block": (
        ("block 203.0.113.9 --duration 10m --reason 'port scan'", "an address for ten minutes"),
        ("block 10.1.0.0/16 --department dept123", "a prefix, for one department"),
        ("block ads.example.com", "a name and what it resolves to, until it is unblocked"),
        ("block --file bad.txt --duration 1d", "all that a list contains, for a day"),
    ),
    "unblock": (
        ("unblock 203.0.113.9", "one address"),
        ("unblock --file bad.txt --origin manual", "what people blocked of a list"),
    ),
    "reload": (("reload", "after the configuration file was edited"),),
    "lists": (("lists", "the imported lists, and what is wrong with them"),),
    "release": (("release", "open everything and stop the service"),),
    "restore": (("restore", "what the installation does at a boot"),),
    "init": (
        ("init", "write /etc/appliance/appliance.toml, unless it is there"),
        ("init --config try.toml", "write another file, to look at"),
    ),
    "check-config": (
        ("check-config", "the installed configuration"),
        ("check-config --config new.toml", "another file"),
    ),
    "apply": (("apply new.toml", "try it for two minutes"),),
    "confirm": (("confirm", "keep the configuration that is on trial"),),
    "notify": (("notify list", "the channels, and what is wrong with them"),),
    "notify list": (("notify list", "the channels, and what is wrong with them"),),
    "notify test": (("notify test it", "a message that says it is a test, to the channel it"),),
    "panel": (("panel test", "every rhythm on every LED"),),
    "panel press": (("panel press --hold", "begin or end maintenance as the button does"),),
    "panel test": (("panel test", "look at the LEDs meanwhile"),),
    "update": (
        ("update", "which version runs, and how far the latest update is"),
        ("update appliance.raucb --restart", "a file, and the restart with it"),
        ("update https://192.168.1.2/appliance.raucb", "from a web server"),
    ),
    "backup": (("backup create /mnt/nas/appliance.backup", "everything into one file; the passphrase is asked for"),),
    "backup create": (
        ("backup create /mnt/nas/appliance.backup", "the passphrase is asked for, twice"),
        ("backup create appliance.backup --passphrase-file /root/passphrase", "for a timer"),
    ),
    "backup restore": (
        ("backup restore appliance.backup", "on a new computer"),
        ("backup restore appliance.backup --replace", "in the place of what is there, which is kept aside"),
    ),
    "reset": (("reset", "it forgets everything; the name of the computer is asked for"),),
    "revert": (("revert", "take it back without waiting for the two minutes"),),
}


def examples_of(name: str) -> str:
    """The examples of a verb, as the end of its help."""
    lines = [line for words, what in EXAMPLES[name] for line in (f"  # {what}", f"  appliance {words}")]
    return "\n".join(["\b", "Examples:", *lines])  # click does not wrap a paragraph after \b


def add_examples(command: click.Command, name: str) -> None:
    """Give a verb and all below it their examples."""
    command.epilog = examples_of(name)
    if isinstance(command, click.Group):
        for inner, verb in command.commands.items():
            add_examples(verb, f"{name} {inner}")
