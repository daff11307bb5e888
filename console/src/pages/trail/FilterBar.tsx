import { Button, MultiSelect, Pill, Select, TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";
import { getJson } from "../../api/client";
import { textOf } from "../../api/entry";
import { wholeAnswer } from "../../api/query";
import type { Catalog } from "../../api/types";
import { Text } from "../../parts/Text";
import { useResource } from "../../state/resource";
import { useChangeParams, useParams } from "../../state/router";
import { useZone } from "../../state/settings";
import { fieldValue, fromField, zoneName } from "../../text/time";
import { FILTER_NAMES, hasFilter, PRESETS } from "./filter";

const OUTCOMES = [
  { value: "success", label: "Succeeded" },
  { value: "denied", label: "Denied" },
  { value: "failure", label: "Failed" },
];

async function knownTypes(signal: AbortSignal): Promise<string[]> {
  const [catalog, used] = await Promise.allSettled([
    getJson<Catalog>("/api/v1/catalog", signal),
    wholeAnswer("SELECT event_type, count(*) AS n FROM audit_log GROUP BY 1 ORDER BY 2 DESC LIMIT 200", signal),
  ]);
  const names = used.status === "fulfilled" ? used.value.rows.map(([name]) => textOf(name)) : [];
  const listed = catalog.status === "fulfilled" ? catalog.value.types.map(({ name }) => name) : [];
  return [...new Set([...names, ...listed])].filter(Boolean);
}

async function knownActors(signal: AbortSignal): Promise<string[]> {
  const answer = await wholeAnswer(
    "SELECT actor, count(*) AS n FROM audit_log GROUP BY 1 ORDER BY 2 DESC LIMIT 200",
    signal,
  );
  return answer.rows.map(([name]) => textOf(name)).filter(Boolean);
}

function Period() {
  const params = useParams();
  const change = useChangeParams();
  const zone = useZone();
  const [from, to] = [params.get("from") ?? undefined, params.get("to") ?? undefined];
  const custom = from !== undefined || to !== undefined || params.get("since") === "custom";
  const choose = (value: string | null) =>
    change({ since: value && value !== "all" ? value : undefined, from: undefined, to: undefined, cursor: undefined });
  return (
    <>
      <Select
        label="Time"
        allowDeselect={false}
        value={custom ? "custom" : (params.get("since") ?? "all")}
        onChange={choose}
        data={[
          { value: "all", label: "All time" },
          ...PRESETS.map(({ value, label }) => ({ value, label })),
          { value: "custom", label: "From … to" },
        ]}
      />
      {custom && (
        <>
          <TextInput
            className="filter-time"
            type="datetime-local"
            step={1}
            label={`From (${zoneName(zone)})`}
            value={fieldValue(from, zone)}
            onChange={(event) =>
              change(
                { from: fromField(event.currentTarget.value, zone), since: "custom", cursor: undefined },
                { replace: true },
              )
            }
          />
          <TextInput
            className="filter-time"
            type="datetime-local"
            step={1}
            label={`Before (${zoneName(zone)})`}
            value={fieldValue(to, zone)}
            onChange={(event) =>
              change(
                { to: fromField(event.currentTarget.value, zone), since: "custom", cursor: undefined },
                { replace: true },
              )
            }
          />
        </>
      )}
    </>
  );
}

/** Takes effect on Enter or when the field is left, so that half a word is not searched for. */
function TextFilter({ name, label, placeholder }: { name: string; label: string; placeholder: string }) {
  const params = useParams();
  const change = useChangeParams();
  const applied = params.get(name) ?? "";
  const [draft, setDraft] = useState(applied);
  const [seen, setSeen] = useState(applied);
  if (seen !== applied) {
    setSeen(applied);
    setDraft(applied);
  }
  const apply = () => draft.trim() !== applied && change({ [name]: draft.trim() || undefined, cursor: undefined });
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={draft}
      onChange={(event) => setDraft(event.currentTarget.value)}
      onBlur={apply}
      onKeyDown={(event) => event.key === "Enter" && apply()}
    />
  );
}

interface NamesFilterProps {
  name: string;
  label: string;
  placeholder: string;
  known: string[];
}

function NamesFilter({ name, label, placeholder, known }: NamesFilterProps) {
  const chosen = useParams().getAll(name);
  const change = useChangeParams();
  return (
    <TagsInput
      label={label}
      placeholder={chosen.length ? "" : placeholder}
      data={known}
      value={chosen}
      onChange={(values) => change({ [name]: values, cursor: undefined })}
      styles={{ inputField: { minWidth: "2.5rem" } }}
      renderOption={({ option }) => <Text limit={80}>{String(option.value)}</Text>}
      renderPill={({ value, onRemove }) => (
        <Pill withRemoveButton onRemove={() => onRemove?.()} removeButtonProps={{ "aria-label": `Remove ${value}` }}>
          <Text limit={80}>{String(value)}</Text>
        </Pill>
      )}
    />
  );
}

export function FilterBar() {
  const params = useParams();
  const change = useChangeParams();
  const [asked, setAsked] = useState(false);
  const types = useResource(asked ? "types" : undefined, knownTypes);
  const actors = useResource(asked ? "actors" : undefined, knownActors);
  const list = (name: string) => (values: string[]) => change({ [name]: values, cursor: undefined });
  const clear = () => {
    const names = [...FILTER_NAMES, "q", "from", "to", "since", "cursor"];
    change(Object.fromEntries(names.map((name) => [name, undefined])));
  };
  return (
    <search className="filters" aria-label="Filter" onFocus={() => setAsked(true)}>
      <Period />
      <NamesFilter name="event_type" label="Event type" placeholder="Any" known={types.data ?? []} />
      <NamesFilter name="actor" label="Who" placeholder="Anybody" known={actors.data ?? []} />
      <MultiSelect
        label="Outcome"
        placeholder={params.has("outcome") ? "" : "Any"}
        data={OUTCOMES}
        value={params.getAll("outcome")}
        onChange={list("outcome")}
      />
      <TextFilter name="entity_id" label="Entity" placeholder="INV-1042, exactly" />
      <TextFilter name="q" label="Text" placeholder="Anywhere in the entry" />
      {params.has("trace_id") && <TextFilter name="trace_id" label="Trace" placeholder="exactly" />}
      {hasFilter(params) && (
        <Button variant="subtle" color="gray" size="sm" onClick={clear} className="filter-clear">
          Clear all
        </Button>
      )}
    </search>
  );
}
