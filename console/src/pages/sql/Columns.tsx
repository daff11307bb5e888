import { Card } from "../../parts/Page";
import { COLUMNS } from "./catalog";

export function Columns() {
  return (
    <Card title="What audit_log holds" aside="one row per entry">
      <dl className="columns">
        {COLUMNS.map(([name, meaning]) => (
          <div key={name}>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
