"""The shell verb of reports: a department's day, week or month, for a person or as CSV."""

import json
from zoneinfo import ZoneInfo

import click

from appliance.cli.options import Paths, connected_client, json_option, with_paths
from appliance.cli.parameters import DepartmentId


@click.command()
@with_paths
@click.argument("department", type=DepartmentId())
@click.argument("span")
@click.option("--csv", "as_csv", is_flag=True, help="Print the days, or the hours of a day, as CSV, in bytes.")
@json_option
def report(paths: Paths, department: str, span: str, as_csv: bool, as_json: bool) -> None:
    """Show what DEPARTMENT used in SPAN: a day (2026-11-27), a week (2026-W48) or a month (2026-10)."""
    if as_csv and as_json:
        raise click.UsageError("give either --csv or --json")
    with connected_client(paths) as client:
        found = client.call("report:get", {"departmentId": department, "span": span})
        facts = client.call("appliance:get")
    if as_json:
        click.echo(json.dumps(found))
        return
    from appliance.core.alerting.report_text import report_csv, report_text

    names = {one["id"]: one["name"] for one in facts["departments"]}
    shown = report_text(found, names.get(department, department), ZoneInfo(facts["timezone"]))
    click.echo(report_csv(found) if as_csv else shown, nl=not as_csv)
