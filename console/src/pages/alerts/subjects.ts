import type { Alert } from "../../api/alerts";
import { numberOf, textOf } from "../../api/entry";
import { wholeAnswer } from "../../api/query";
import { useResource } from "../../state/resource";

type Group = Alert["group"];

/** Who acted on what. */
export function groupOf(actor: string, entityId: string): Group {
  return [
    { field: "actor", value: actor },
    { field: "entity_id", value: entityId },
  ];
}

async function load(indices: number[], signal: AbortSignal): Promise<Map<number, Group>> {
  const { rows } = await wholeAnswer(
    `SELECT index, actor, entity_id FROM audit_log WHERE index IN (${indices.join(", ")})`,
    signal,
  );
  return new Map(rows.map(([index, actor, entity]) => [numberOf(index), groupOf(textOf(actor), textOf(entity))]));
}

/** Rules that look at one entry say nothing of what it has in common with others: then it is the entry's own who and what. */
export function useSubjects(alerts: Alert[]): (alert: Alert) => Group {
  const lone = alerts.filter(({ group, indices }) => group.length === 0 && indices.length > 0);
  const indices = [...new Set(lone.flatMap((alert) => alert.indices.at(-1) ?? []))].sort((a, b) => a - b);
  const subjects = useResource(indices.length > 0 ? indices.join() : undefined, (signal) => load(indices, signal));
  return ({ group, indices: causes }) => (group.length > 0 ? group : (subjects.data?.get(causes.at(-1) ?? -1) ?? []));
}
