"""Reads metrics as a scraper does: in the form that is named by the argument. Writes what it has read as JSON."""

import json
import sys

if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families

samples = {}
helps = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    helps[family.name] = [family.type, family.documentation]
    for sample in family.samples:
        labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        samples[f"{sample.name}{{{labels}}}"] = sample.value
json.dump({"samples": samples, "helps": helps}, sys.stdout)
