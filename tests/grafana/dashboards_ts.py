"""Prints the dashboards as TypeScript, each with the type that Grafana publishes for it (npm: @grafana/schema): what tsc refuses
is misspelt, or of another kind than Grafana reads. There is no JSON schema of a whole dashboard."""

from __future__ import annotations

import json
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
TYPES = CLONE / "dashboard" / "node_modules" / "@grafana" / "schema" / "dist" / "types"
KINDS = ("stat", "timeseries", "table", "piechart")

# What is an enumeration in TypeScript is its word in JSON.
print(f"""import type {{ Dashboard }} from "{TYPES}/index";
type Json<T> = T extends string ? `${{T}}` : T extends object ? {{ [K in keyof T]: Json<T[K]> }} : T;""")
for kind in KINDS:
    print(f'import type * as {kind} from "{TYPES}/raw/composable/{kind}/panelcfg/x/types.gen";')

for number, path in enumerate(sorted((CLONE / "deploy/monitoring/grafana/dashboards").glob("*.json"))):
    text = path.read_text()
    print(f"export const dashboard_{number}: Json<Dashboard> = {text.strip()};")
    for panel in json.loads(text)["panels"]:
        name = f"{number}_{panel['id']}"
        print(f"export const options_{name}: Partial<Json<{panel['type']}.Options>> = {json.dumps(panel['options'])};")
        if panel["type"] in ("timeseries", "table"):
            custom = json.dumps(panel["fieldConfig"]["defaults"]["custom"])
            print(f"export const field_{name}: Partial<Json<{panel['type']}.FieldConfig>> = {custom};")
