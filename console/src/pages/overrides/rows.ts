import { numberOf, textOf } from "../../api/entry";
import { compareFields, type FieldChange } from "../../text/diff";
import { Digits, type Json, parseJson } from "../../text/json";

export interface Override {
  index: number;
  timestamp: string;
  actor: string;
  eventType: string;
  entityId: string;
  model: string;
  reason: string | null;
  /** Amounts first. */
  changes: FieldChange[];
}

export interface SamePerson {
  index: number;
  timestamp: string;
  actor: string;
  eventType: string;
  entityId: string;
  /** The entry with which the approver had asked; without one, the approval itself names them as the requester. */
  request?: { index: number; eventType: string };
}

/** SQL gives a JSON string as its text and any other value as JSON; the type says which. */
function recordedValue(text: Json | undefined, type: Json | undefined): Json | undefined {
  if (type === null || type === undefined) return undefined;
  return type === "string" ? textOf(text) : parseJson(textOf(text));
}

function isAmount({ before, after }: FieldChange): boolean {
  return before instanceof Digits || after instanceof Digits;
}

function changesOf(before: Json | undefined, after: Json | undefined): FieldChange[] {
  const changed = compareFields(before, after).filter(({ kind }) => kind !== "same");
  return [...changed.filter(isAmount), ...changed.filter((change) => !isAmount(change))];
}

export function overrideOf(row: Json[]): Override {
  const [index, timestamp, actor, eventType, entityId, model, reason, was, is, wasType, isType] = row;
  return {
    index: numberOf(index),
    timestamp: textOf(timestamp),
    actor: textOf(actor),
    eventType: textOf(eventType),
    entityId: textOf(entityId),
    model: textOf(model),
    reason: typeof reason === "string" ? reason : null,
    changes: changesOf(recordedValue(was, wasType), recordedValue(is, isType)),
  };
}

export function samePersonOf(row: Json[]): SamePerson {
  const [index, timestamp, actor, eventType, entityId, request, requested] = row;
  return {
    index: numberOf(index),
    timestamp: textOf(timestamp),
    actor: textOf(actor),
    eventType: textOf(eventType),
    entityId: textOf(entityId),
    ...(request instanceof Digits ? { request: { index: numberOf(request), eventType: textOf(requested) } } : {}),
  };
}
