"""Finds what in a report.json shows that the loop did not close: the demo prints it, and CI fails.

python -m deployments.demo.check_report WORKDIR/report.json [--promoted]
"""

import json
import sys
from pathlib import Path
from typing import Any

MAX_SEED_LOSS = 0.02
"""Written here again on purpose: the rule is recomputed from the report, not taken from the gate's own code."""


def faults(report: dict[str, Any], must_promote: bool) -> list[str]:
    """The faults of a report in words; empty where there are none."""
    requests = report["requests"]
    found = [f"{requests[name]} requests {name}" for name in ("failed", "mixed") if requests[name] != 0]
    missing = [name for name in ("audit", "seed") if name not in report]
    if must_promote or report["promoted"]:
        found += [f"it has no {name} rows to compare the models on" for name in missing]
    if requests["sent"] == 0:
        found.append("no request was sent")
    if report["tasks_duplicated"] != 0:
        found.append(f"{report['tasks_duplicated']} tasks duplicated")
    if report["promoted"] != (report["verdict"]["decision"] == "promote"):
        found.append(f"promoted={report['promoted']} is not what the verdict says: {report['verdict']['decision']}")
    if not missing and report["promoted"] != by_the_rule(report):
        found.append(f"the verdict is promoted={report['promoted']}, the rule says {by_the_rule(report)}")
    for step in ("retrain", "deploy") if report["promoted"] else ("retrain",):
        maker = report["runs"].get(step, {}).get("created_by", "nobody")
        if maker != "event":
            found.append(f"{step} was started by {maker}, not by an event")
    if must_promote and not report["promoted"]:
        found.append(f"nothing was promoted: {report['verdict']['reason']}")
    if report["promoted"] and len(report["requests"]["versions"]) < 2:
        found.append("only one version answered")
    return found


def by_the_rule(report: dict[str, Any]) -> bool:
    """Better in macro-F1 on the audit slice, at most 2 points worse on the seed data, and the absolute checks pass."""
    audit, seed = report["audit"], report["seed"]
    comparative = {"better on the audit slice", "seed data kept"}
    absolute = all(check["passed"] for check in report["verdict"]["checks"] if check["name"] not in comparative)
    better = audit["after"]["macro_f1"] > audit["before"]["macro_f1"]
    kept = seed["after"]["macro_f1"] >= seed["before"]["macro_f1"] - MAX_SEED_LOSS
    return bool(absolute and better and kept)


def main() -> None:
    """Print the faults and exit with 1 where there are any."""
    report = json.loads(Path(sys.argv[1]).read_text())
    found = faults(report, must_promote="--promoted" in sys.argv[2:])
    for fault in found:
        sys.stderr.write(f"report: {fault}\n")
    if found:
        raise SystemExit(1)
    sys.stdout.write(f"report: {sys.argv[1]} holds; promoted={report['promoted']}\n")


if __name__ == "__main__":
    main()
