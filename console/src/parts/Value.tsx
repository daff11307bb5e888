import { compareFields, type FieldChange } from "../text/diff";
import { Digits, isObject, type Json, writeJson } from "../text/json";
import { grouped } from "../text/number";
import { Text } from "./Text";

const LIMIT = 600;

export function Value({ value, limit = LIMIT }: { value: Json | undefined; limit?: number }) {
  if (value === undefined) return <span className="quiet">not set</span>;
  if (value === null) return <span className="quiet">null</span>;
  if (value instanceof Digits) return <span title={value.text}>{grouped(value.text)}</span>;
  if (typeof value === "boolean") return <span>{value ? "true" : "false"}</span>;
  if (typeof value === "string")
    return value === "" ? <span className="quiet">empty text</span> : <Text limit={limit}>{value}</Text>;
  if (isObject(value) && value.has("$sealed")) return <span className="tag">sealed value</span>;
  if (Array.isArray(value) ? value.length === 0 : value.size === 0) return <span className="quiet">empty</span>;
  return (
    <code>
      <Text limit={limit}>{writeJson(value)}</Text>
    </code>
  );
}

/** A JSON value as a list of its fields. */
export function Fields({ value }: { value: Json }) {
  const fields = compareFields(undefined, value);
  return (
    <dl className="facts">
      {fields.map((field) => (
        <div key={field.path} style={{ display: "contents" }}>
          <dt>
            <Text>{field.path || "value"}</Text>
          </dt>
          <dd>
            <Value value={field.after} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function FieldDiff({
  changes,
  before = "Before",
  after = "After",
}: {
  changes: FieldChange[];
  before?: string;
  after?: string;
}) {
  const differing = changes.filter((change) => change.kind !== "same");
  const same = changes.length - differing.length;
  if (differing.length === 0) return <p className="quiet">No field differs.</p>;
  return (
    <>
      <table className="diff">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">{before}</th>
            <th scope="col">{after}</th>
          </tr>
        </thead>
        <tbody>
          {differing.map((change) => (
            <tr key={change.path} data-kind={change.kind}>
              <th scope="row">
                <Text>{change.path || "value"}</Text>
              </th>
              <td className="was">
                <Value value={change.before} />
              </td>
              <td className="is">
                <Value value={change.after} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {same > 0 && (
        <p className="quiet small">{same === 1 ? "One field is" : `${same} fields are`} the same on both sides.</p>
      )}
    </>
  );
}
