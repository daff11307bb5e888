import { SegmentedControl, Select } from "@mantine/core";
import { LEVELS } from "../../api/alerts";
import { useChangeParams, useParams } from "../../state/router";
import { LEVEL_WORDS } from "../../text/alert";
import { STATES, wantedLevel, wantedState } from "./filter";

const ANY = "any";

const LEAST = [
  { value: ANY, label: "Any level" },
  ...LEVELS.slice(0, -1).map((level) => ({
    value: level as string,
    label: level === "critical" ? LEVEL_WORDS[level] : `${LEVEL_WORDS[level]} and above`,
  })),
];

export function Filters() {
  const params = useParams();
  const change = useChangeParams();
  return (
    <search className="row alert-filters" aria-label="Filter">
      <SegmentedControl
        aria-label="State"
        value={wantedState(params).value}
        onChange={(state) => change({ state: state === "active" ? undefined : state, cursor: undefined })}
        data={STATES.map(({ value, label }) => ({ value, label }))}
      />
      <Select
        aria-label="Level"
        allowDeselect={false}
        value={wantedLevel(params) ?? ANY}
        onChange={(level) => change({ level: level && level !== ANY ? level : undefined, cursor: undefined })}
        data={LEAST}
      />
    </search>
  );
}
