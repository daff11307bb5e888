import { Select, Slider } from "@mantine/core";
import { useMemo } from "react";
import type { Entry } from "../../api/entry";
import { Card } from "../../parts/Page";
import { FieldDiff, Fields } from "../../parts/Value";
import { At } from "../../parts/When";
import { useChangeParams, useParams } from "../../state/router";
import { compareFields } from "../../text/diff";
import { visible } from "../../text/escape";
import { statesOf } from "../../text/history";
import { verbOf } from "../../text/sentence";

function within(text: string | null, count: number, fallback: number): number {
  const value = Number(text ?? Number.NaN);
  return Number.isInteger(value) && value >= 1 && value <= count ? value : fallback;
}

/** The entity after any of its events, and any two such versions side by side. */
export function Versions({ entries }: { entries: Entry[] }) {
  const params = useParams();
  const change = useChangeParams();
  const states = useMemo(() => statesOf(entries), [entries]);
  const count = entries.length;
  const version = within(params.get("version"), count, count);
  const base = within(params.get("base"), count, Math.max(1, version - 1));
  const state = states[version - 1];
  const entry = entries[version - 1];
  const choices = entries.map(({ eventType }, i) => ({
    value: String(i + 1),
    label: `Version ${i + 1}: ${visible(verbOf(eventType).replace(/ (for|on)$/, ""))}`,
  }));
  return (
    <>
      {count > 1 && (
        <div className="scrubber">
          <span className="small">
            Version <b>{version}</b> of {count}
            {entry && (
              <span className="quiet">
                {" "}
                as at <At time={entry.timestamp} />
              </span>
            )}
          </span>
          <Slider
            min={1}
            max={count}
            step={1}
            value={version}
            label={null}
            thumbLabel="Version"
            marks={count <= 40 ? entries.map((_, i) => ({ value: i + 1 })) : []}
            onChange={(value) => change({ version: String(value) }, { replace: true })}
          />
        </div>
      )}
      <div className="grid">
        <Card title={`State after version ${version}`} aside="the last recorded value of each field">
          {state === undefined ? (
            <p className="quiet">No event up to here records a value.</p>
          ) : (
            <Fields value={state} />
          )}
        </Card>
        <Card title="Compare">
          <div className="stack">
            <div className="compare">
              <Select
                label="Before"
                data={choices}
                searchable={count > 20}
                limit={100}
                allowDeselect={false}
                value={String(base)}
                onChange={(value) => change({ base: value ?? undefined }, { replace: true })}
              />
              <Select
                label="After"
                data={choices}
                searchable={count > 20}
                limit={100}
                allowDeselect={false}
                value={String(version)}
                onChange={(value) => change({ version: value ?? undefined }, { replace: true })}
              />
            </div>
            <FieldDiff
              changes={compareFields(states[base - 1], state)}
              before={`Version ${base}`}
              after={`Version ${version}`}
            />
          </div>
        </Card>
      </div>
    </>
  );
}
